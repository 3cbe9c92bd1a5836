import { passwordRoute } from "../../../../http/password.ts";

export const { GET, POST, PUT, PATCH, DELETE } = passwordRoute("signIn");
