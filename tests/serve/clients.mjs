// What people write who drive a live browser: Playwright's `connectOverCDP` and Puppeteer's `connect`. Says as JSON how it went.
//
//     node clients.mjs FOLDER_OF_PACKAGES CDP_URL SITE

import { createRequire } from "node:module";

const [folder, address, site] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const told = {};
const words = (error) => error.message.split("\n")[0];

/** In the page. */
function opened(address) {
  open(address, "", "width=300,height=200");
}

async function playwright() {
  const browser = await require("playwright-core").chromium.connectOverCDP(address);
  const context = browser.contexts()[0];
  told.there = context.pages().map((page) => page.url());
  const page = await context.newPage();
  await page.goto(site);
  await page.fill("#a", "by Playwright");
  await page.click("button");
  told.playwright = await page.title();
  told.file = await page.goto("file:///etc/passwd").then(() => "opened", words);
  told.upload = await page.setInputFiles("#f", { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("abc") })
    .then(() => page.evaluate(() => document.getElementById("f").files[0].text()), words);
  const [popup] = await Promise.all([page.waitForEvent("popup"), page.evaluate(opened, site)]);
  told.popup = await popup.locator("button").textContent();
  await popup.close();
  await context.addCookies([{ name: "kept", value: "1", url: site }]);
  told.picture = (await page.screenshot()).subarray(1, 4).toString();
  const other = await browser.newContext();
  const apart = await other.newPage();
  await apart.goto(site);
  told.cookies = [(await context.cookies()).map(({ name }) => name), (await other.cookies()).map(({ name }) => name)];
  await other.close();
  await browser.close();
}

async function puppeteer() {
  const browser = await require("puppeteer-core").default.connect({ browserWSEndpoint: address });
  told.still = (await browser.pages()).length;
  const page = await browser.newPage();
  await page.goto(site);
  await page.type("#a", "by Puppeteer");
  await page.click("button");
  told.puppeteer = await page.title();
  const popup = new Promise((done) => page.once("popup", done));
  await page.evaluate(opened, site);
  const other = await popup;
  told.other = await (await other.waitForSelector("button")).evaluate((button) => button.textContent);
  await other.close();
  told.cookie = await page.evaluate("document.cookie");
  told.drawn = Buffer.from(await page.screenshot()).subarray(1, 4).toString();
  await page.close();
  await browser.disconnect();
}

await playwright();
await puppeteer();
console.log(JSON.stringify(told));
process.exit();
