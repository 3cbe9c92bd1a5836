import {
  Braces,
  File,
  FileCode,
  FileText,
  Folder,
  FolderOpen,
  Image,
  type LucideIcon,
  Palette,
} from "lucide-react";

const BY_EXTENSION: Readonly<Record<string, LucideIcon>> = {
  json: Braces,
  md: FileText,
  txt: FileText,
  css: Palette,
  scss: Palette,
  png: Image,
  jpg: Image,
  jpeg: Image,
  gif: Image,
  svg: Image,
  webp: Image,
  ico: Image,
};
const CODE =
  /\.(?:[cm]?[jt]sx?|html?|vue|svelte|py|rs|go|rb|java|kt|swift|c|cc|cpp|h|sh|sql|ya?ml|toml)$/i;

export function FileIcon({
  name,
  folder = false,
  open = false,
}: {
  name: string;
  folder?: boolean;
  open?: boolean;
}) {
  const Icon = folder ? (open ? FolderOpen : Folder) : iconOf(name);
  return <Icon aria-hidden className="size-4 shrink-0 text-faint" strokeWidth={1.75} />;
}

function iconOf(name: string): LucideIcon {
  const extension = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  return BY_EXTENSION[extension] ?? (CODE.test(name) ? FileCode : File);
}
