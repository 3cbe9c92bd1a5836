// Which services a stack is made of, and for each whether the real one is used: only `npm start` may
// say so, and only by the variables that a team with accounts would set.

export const SERVICE_NAMES = ["convex", "control-plane", "model", "firecrawl", "sentry"] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** A parsed `.env.local`: empty values are already gone. */
export type Settings = Readonly<Record<string, string>>;

/** An empty value counts as unset. */
export function settingsFrom(values: Readonly<Record<string, string | undefined>>): Settings {
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value.trim() !== "") settings[name] = value.trim();
  }
  return settings;
}

export interface RealService {
  /** The variable that made it real. */
  because: string;
  url: string;
}

interface Description {
  title: string;
  /** Variables, any of which makes the service real. */
  variables: readonly string[];
  /** The one that a newcomer is told of; default: the first. */
  suggested?: string;
  /** Everything that belongs to the real service and is handed to the workers. */
  passes: RegExp;
  /** What must be set beside them. */
  needs?: readonly string[];
  url: (settings: Settings) => string;
}

export const DESCRIPTIONS: Readonly<Record<ServiceName, Description>> = {
  convex: {
    title: "Convex",
    variables: ["NEXT_PUBLIC_CONVEX_URL", "CONVEX_URL"],
    passes: /^(NEXT_PUBLIC_CONVEX_URL|CONVEX_URL|POLARIS_CONVEX_INTERNAL_KEY)$/,
    needs: ["POLARIS_CONVEX_INTERNAL_KEY"],
    url: (settings) => settings.CONVEX_URL ?? settings.NEXT_PUBLIC_CONVEX_URL ?? "",
  },
  "control-plane": {
    title: "Trigger.dev",
    variables: ["TRIGGER_SECRET_KEY"],
    passes: /^TRIGGER_(SECRET_KEY|API_URL|PROJECT_REF|ACCESS_TOKEN)$/,
    needs: ["TRIGGER_PROJECT_REF"],
    url: (settings) => settings.TRIGGER_API_URL ?? "https://api.trigger.dev",
  },
  model: {
    title: "Model",
    variables: ["POLARIS_PRIMARY_BASE_URL", "POLARIS_PRIMARY_API_KEY", "OPENROUTER_API_KEY"],
    suggested: "OPENROUTER_API_KEY",
    passes: /^(POLARIS_(PRIMARY|FALLBACK)_\w+|OPENROUTER_API_KEY|CEREBRAS_API_KEY)$/,
    url: (settings) => settings.POLARIS_PRIMARY_BASE_URL ?? "https://openrouter.ai/api/v1",
  },
  firecrawl: {
    title: "Firecrawl",
    variables: ["FIRECRAWL_API_KEY"],
    passes: /^FIRECRAWL_\w+$/,
    url: (settings) => settings.FIRECRAWL_API_URL ?? "https://api.firecrawl.dev",
  },
  sentry: {
    title: "Sentry",
    variables: ["SENTRY_DSN"],
    passes: /^SENTRY_\w+$/,
    url: (settings) => hostOf(settings.SENTRY_DSN ?? ""),
  },
};

/** Services of the app alone, which have no process of their own. */
export const APP_SERVICES = [
  {
    title: "Sign-in",
    variable: "NEXT_PUBLIC_STACK_PROJECT_ID",
    passes: /^(NEXT_PUBLIC_)?STACK_\w+$/,
    standIn: "the developer of this machine",
    url: (settings: Settings) => settings.STACK_API_URL ?? "https://api.stack-auth.com",
  },
  {
    title: "Billing",
    variable: "AUTUMN_SECRET_KEY",
    passes: /^AUTUMN_\w+$/,
    standIn: "no limits",
    url: (settings: Settings) => settings.AUTUMN_API_URL ?? "https://api.useautumn.com/v1",
  },
] as const;

/** What the app gets beside the variables of the services: sign-in, billing, its own address. */
export function appSettings(settings: Settings): Settings {
  const passes = [...APP_SERVICES.map((service) => service.passes), /^NEXT_PUBLIC_APP_URL$/];
  return Object.fromEntries(
    Object.entries(settings).filter(([name]) => passes.some((pattern) => pattern.test(name))),
  );
}

/** The real service that the settings name, or undefined for the stand-in. */
export function realService(name: ServiceName, settings: Settings): RealService | undefined {
  const description = DESCRIPTIONS[name];
  const because = description.variables.find((variable) => settings[variable] !== undefined);
  if (because === undefined) return undefined;
  const missing = (description.needs ?? []).filter((variable) => settings[variable] === undefined);
  if (missing.length > 0) {
    throw new Error(
      `${because} is set, so the real ${description.title} is used, but ${missing.join(", ")} is not: set it too, or empty ${because} for the stand-in.`,
    );
  }
  return { because, url: description.url(settings) };
}

/** The settings that belong to a real service. */
export function settingsOf(name: ServiceName, settings: Settings): Settings {
  const { passes } = DESCRIPTIONS[name];
  return Object.fromEntries(Object.entries(settings).filter(([variable]) => passes.test(variable)));
}

/** A DSN holds a key: show where it leads, not what it is. */
function hostOf(dsn: string): string {
  try {
    return new URL(dsn).origin;
  } catch {
    return "(the DSN is no URL)";
  }
}
