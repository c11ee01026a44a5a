// Builds one ES module and one stylesheet for each widget, into the Python package. The output depends on the sources and on the pinned
// versions in package-lock.json only.
import { build } from "esbuild";

const INSTRUMENTS = {
  layers: ["src/layers/explorer.ts", "src/layers/style.css"],
  occlusion: ["src/occlusion/explorer.ts", "src/occlusion/style.css"],
  transfer: ["src/transfer/panel.ts", "src/transfer/style.css"],
  evaluation: ["src/evaluation/panel.ts", "src/evaluation/style.css"],
  training: ["src/training/panel.ts", "src/training/style.css"],
  ablation: ["src/ablation/panel.ts", "src/ablation/style.css"],
  comparison: ["src/comparison/explorer.ts", "src/comparison/style.css"],
  comparison_occlusion: ["src/comparison/occlusion.ts", "src/comparison/occlusion.css"],
  invariance: ["src/invariance/explorer.ts", "src/invariance/style.css"],
  diagnosis: ["src/diagnosis/panel.ts", "src/diagnosis/style.css"],
  evolution: ["src/evolution/explorer.ts", "src/evolution/style.css"],
};

await build({
  entryPoints: Object.entries(INSTRUMENTS).flatMap(([name, files]) => files.map((file) => ({ in: file, out: name }))),
  outdir: "../deconvwidgets/widgets/static",
  absWorkingDir: import.meta.dirname,
  bundle: true,
  minify: true,
  format: "esm",
  target: "esnext",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
});
