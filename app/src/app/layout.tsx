// The frame of every page. Rendered per request, as the settings are of the running server.

import type { Metadata } from "next";
import { connection } from "next/server";
import type { ReactNode } from "react";
import { Providers } from "../components/providers.tsx";
import { publicSettings } from "../server/public-settings.ts";
import "../styles/globals.css";

export const metadata: Metadata = {
  title: "Polaris",
  description: "Background AI jobs for a cloud IDE",
};

export default async function RootLayout({ children }: { children: ReactNode }) {
  await connection();
  const { convexUrl } = publicSettings();
  return (
    <html lang="en">
      <body>
        {convexUrl === undefined ? (
          <p role="alert">NEXT_PUBLIC_CONVEX_URL is not set, so there is nothing to show.</p>
        ) : (
          <Providers convexUrl={convexUrl}>{children}</Providers>
        )}
      </body>
    </html>
  );
}
