/** How a first message may begin; each works on any project. */
export const SUGGESTIONS = [
  "Explain this project",
  "Add a dark mode",
  "What could be improved?",
] as const;
