"use client";
// Light, dark, or as the system has it. Kept in this browser; `ThemeScript` applies it before the first
// paint.

import { Monitor, Moon, Sun } from "lucide-react";
import { useEffect, useState } from "react";
import { IconButton } from "../ui/icon-button.tsx";
import { isTheme, THEME_KEY, type Theme } from "./theme.ts";

const NEXT: Readonly<Record<Theme, Theme>> = { system: "light", light: "dark", dark: "system" };
const ICONS = { system: Monitor, light: Sun, dark: Moon };

export function ThemeToggle() {
  const [theme, setTheme] = useState<Theme>("system");
  useEffect(() => {
    const kept = document.documentElement.dataset.theme;
    if (isTheme(kept)) setTheme(kept);
  }, []);
  const change = (): void => {
    const next = NEXT[theme];
    setTheme(next);
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      if (next === "system") localStorage.removeItem(THEME_KEY);
      else localStorage.setItem(THEME_KEY, next);
    } catch {
      // It holds for this page at least.
    }
  };
  const Icon = ICONS[theme];
  return (
    <IconButton label={`Theme: ${theme}`} onClick={change}>
      <Icon aria-hidden />
    </IconButton>
  );
}
