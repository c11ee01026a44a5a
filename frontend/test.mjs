// Bundles the tests, since Node 20 cannot run TypeScript, and runs them with Node's test runner. Arguments name tests: all without any.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

const root = import.meta.dirname;
const wanted = process.argv.slice(2);
const tests = readdirSync(join(root, "tests")).filter(
  (name) => name.endsWith(".test.ts") && (!wanted.length || wanted.some((word) => name.includes(word))),
);
const outdir = mkdtempSync(join(tmpdir(), "deconvwidgets-tests-"));
try {
  const entryPoints = tests.map((name) => join(root, "tests", name));
  await build({
    entryPoints,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    sourcemap: "inline",
    logLevel: "warning",
  });
  const files = tests.map((name) => join(outdir, name.replace(/ts$/, "mjs")));
  const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], { stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  rmSync(outdir, { recursive: true });
}
