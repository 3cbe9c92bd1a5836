"use client";
// Who is signed in, and the way out where there is one.

import { CircleUser, LogOut } from "lucide-react";
import { useState } from "react";
import { request } from "../../live/request.ts";
import { useSession } from "../../live/session.tsx";
import { Menu, MenuItem, MenuLine } from "../ui/menu.tsx";

const LOCAL_DEVELOPER = "local-developer";

export function AccountMenu() {
  const { person } = useSession();
  const [problem, setProblem] = useState(false);
  if (person === undefined) return null;
  const isLocal = person.id === LOCAL_DEVELOPER;
  const signOut = async (): Promise<void> => {
    try {
      await request("POST", "/api/auth/sign-out");
      window.location.reload();
    } catch {
      setProblem(true);
    }
  };
  return (
    <Menu
      trigger={
        <button
          type="button"
          aria-label="Account"
          className="grid size-8 place-items-center rounded-lg text-muted hover:bg-hover hover:text-ink"
        >
          <CircleUser aria-hidden className="size-4" />
        </button>
      }
    >
      <p className="max-w-64 truncate px-2.5 py-1.5 text-muted text-sm">
        {isLocal ? "Developer of this machine" : (person.email ?? person.id)}
      </p>
      {!isLocal && (
        <>
          <MenuLine />
          <MenuItem
            onSelect={(event) => {
              event.preventDefault();
              void signOut();
            }}
          >
            <LogOut aria-hidden />
            {problem ? "Signing out failed, try again" : "Sign out"}
          </MenuItem>
        </>
      )}
    </Menu>
  );
}
