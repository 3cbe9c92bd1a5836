// Names in the tokens of this machine's developer, where no provider of sign-in is configured. The
// app signs with them, `auth.config.ts` believes them. Pure.

/** Reserved by RFC 2606: no server will ever have this name. */
export const LOCAL_ISSUER = "https://local.polaris.invalid";
export const LOCAL_AUDIENCE = "polaris-local";
