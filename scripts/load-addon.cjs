// Loads one addon and compares its version with the checkout's: what the workflows do with each addon that
// they have built. No package is needed.

const { resolve } = require("node:path");

const addon = require(resolve(process.argv[2]));
const { version } = require("../package.json");
if (addon.version() !== version) {
  throw new Error(`the addon is ${addon.version()}, the checkout ${version}`);
}
console.log(process.platform, process.arch, process.version, addon.version(), addon.diagnostics());
