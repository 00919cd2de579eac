// The login workflow in Puppeteer. It has no call that saves a session; what its users do by hand is done here: cookies and
// localStorage. IndexedDB is left out (there is no short way), so this side does less than the other two.
//   node puppeteer.mjs BASE_URL STATE_FILE BROWSER fill|type
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import puppeteer from "puppeteer-core";

const [base, stateFile, executablePath, input] = process.argv.slice(2);

const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const browser = await puppeteer.launch({ executablePath, headless: "shell", args });
const context = browser.defaultBrowserContext();
const [page] = await browser.pages();
if (existsSync(stateFile)) {
  const { cookies, storage } = JSON.parse(readFileSync(stateFile, "utf8"));
  await context.setCookie(...cookies);
  await page.evaluateOnNewDocument((items) => {
    for (const [key, value] of Object.entries(items)) localStorage.setItem(key, value);
  }, storage);
}

await page.goto(`${base}/dashboard?avatar=0`);
if (new URL(page.url()).pathname === "/login") {
  const enter = (selector, text) => (input === "type" ? page.type(selector, text) : page.locator(selector).fill(text));
  await enter("#email", "user@example.com");
  await enter("#password", "correct horse battery");
  await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
}
await page.waitForSelector(".user-avatar", { visible: true });
await page.waitForSelector("html[data-ready=yes]");
await page.goto(`${base}/account/orders`);
const orders = await page.$$eval(".order", (rows) => rows.map((row) => ({
  id: row.querySelector(".id").textContent,
  status: row.querySelector(".status").textContent,
  link: row.querySelector("a").getAttribute("href"),
})));
const storage = await page.evaluate(() => ({ ...localStorage }));
writeFileSync(stateFile, JSON.stringify({ cookies: await browser.cookies(), storage }));
await browser.close();
console.log(JSON.stringify(orders));
