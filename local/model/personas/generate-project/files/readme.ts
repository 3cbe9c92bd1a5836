// README.md, from what the project is and which pages are there.

import type { Product } from "../product.ts";

export function readme({ title, description }: Product, pages: readonly string[]): string {
  const about = description === "" ? "" : `${description}\n\n`;
  const list =
    pages.length === 0 ? "" : `\n## Pages\n\n${pages.map((page) => `- ${page}`).join("\n")}\n`;
  return `# ${title}

${about}Built with React, TypeScript and Vite. Data are kept in the browser.

## Set-up

\`\`\`sh
npm install
npm run dev      # start
npm run build    # check and build into dist/
npm run preview  # look at the build
\`\`\`
${list}`;
}
