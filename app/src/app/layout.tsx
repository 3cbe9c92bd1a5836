// The frame of every page. Rendered per request, as the settings are of the running server.

import { GeistMono } from "geist/font/mono";
import { GeistSans } from "geist/font/sans";
import type { Metadata, Viewport } from "next";
import { connection } from "next/server";
import type { ReactNode } from "react";
import { auth } from "../auth/index.ts";
import { localRefusal } from "../auth/local.ts";
import { Providers } from "../components/providers.tsx";
import type { SignIn } from "../components/shell/signed-in.tsx";
import { StandIns } from "../components/shell/stand-ins.tsx";
import { THEME_SCRIPT } from "../components/shell/theme.ts";
import { publicSettings } from "../server/public-settings.ts";
import "../styles/globals.css";
import "../styles/prose.css";

export const metadata: Metadata = {
  title: { default: "Polaris", template: "%s · Polaris" },
  description: "Background AI jobs for a cloud IDE",
};

export const viewport: Viewport = {
  width: "device-width",
  initialScale: 1,
  interactiveWidget: "resizes-content",
};

export default async function RootLayout({ children }: { children: ReactNode }) {
  await connection();
  const { convexUrl, standIns } = publicSettings();
  return (
    <html
      lang="en"
      className={`${GeistSans.variable} ${GeistMono.variable}`}
      // The script below sets the theme before React looks.
      suppressHydrationWarning
    >
      <head>
        {/* biome-ignore lint/security/noDangerouslySetInnerHtml: a constant of ours */}
        <script dangerouslySetInnerHTML={{ __html: THEME_SCRIPT }} />
      </head>
      <body className="flex h-dvh flex-col overflow-hidden">
        <div className="relative min-h-0 flex-1">
          {convexUrl === undefined ? (
            <main className="grid h-full place-items-center p-6">
              <p role="alert" className="max-w-md text-center">
                NEXT_PUBLIC_CONVEX_URL is not set, so there is nothing to show. Set it in
                .env.local, or start everything with <code>npm start</code>.
              </p>
            </main>
          ) : (
            <Providers convexUrl={convexUrl} signIn={signIn()}>
              {children}
            </Providers>
          )}
        </div>
        <StandIns standIns={standIns} />
      </body>
    </html>
  );
}

function signIn(): SignIn {
  if (auth().kind !== "local") return { kind: "password" };
  const why = localRefusal();
  return why === undefined ? { kind: "local" } : { kind: "impossible", why };
}
