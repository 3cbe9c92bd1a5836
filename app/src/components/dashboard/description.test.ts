import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nameFrom } from "./description.ts";

describe("a project without a name", () => {
  it("is called after what its description begins with", () => {
    for (const [description, name] of [
      ["A reading list with books and a yearly goal", "Reading list"],
      ["Please build me a tea shop: a cart, and payment", "Tea shop"],
      ["garden planner", "Garden planner"],
      ["  The Daily, a newspaper", "Daily"],
      ["Notes", "Notes"],
      ["Ein Rezeptbuch, das man teilen kann", "Ein Rezeptbuch"],
      ["and then?", "And then"],
      [`A ${"long ".repeat(20)}name`, "Long long long long long long long long"],
    ]) {
      assert.equal(nameFrom(description ?? ""), name);
    }
  });

  it("has no name as long as nothing is said", () => {
    for (const text of ["", "   ", "x".repeat(60), "..."]) assert.equal(nameFrom(text), undefined);
  });
});
