// Tailwind is the only step between our styles and the browser.
export default { plugins: { "@tailwindcss/postcss": {} } };
