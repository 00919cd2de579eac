// The login workflow in Playwright, as its documentation would have one write it.
//   node playwright.mjs BASE_URL STATE_FILE BROWSER fill|type
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const [base, stateFile, executablePath, input] = process.argv.slice(2);

const browser = await chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
const context = await browser.newContext(existsSync(stateFile) ? { storageState: stateFile } : {});
const page = await context.newPage();

await page.goto(`${base}/dashboard?avatar=0`);
if (new URL(page.url()).pathname === "/login") {
  const enter = input === "type" ? "pressSequentially" : "fill";
  await page.locator("#email")[enter]("user@example.com");
  await page.locator("#password")[enter]("correct horse battery");
  await page.locator("button[type=submit]").click();
}
await page.locator(".user-avatar").waitFor();
await page.locator("html[data-ready=yes]").waitFor({ state: "attached" });
await page.goto(`${base}/account/orders`);
const orders = await page.locator(".order").evaluateAll((rows) => rows.map((row) => ({
  id: row.querySelector(".id").textContent,
  status: row.querySelector(".status").textContent,
  link: row.querySelector("a").getAttribute("href"),
})));
await context.storageState({ path: stateFile, indexedDB: true });
await browser.close();
console.log(JSON.stringify(orders));
