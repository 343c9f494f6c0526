import { defineConfig } from "vite";

export default defineConfig({
  base: "/static/",
  build: { outDir: "frontend/dist", manifest: "manifest.json", rollupOptions: { input: "frontend/main.js" } },
});
