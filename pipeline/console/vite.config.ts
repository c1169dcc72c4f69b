import { defineConfig } from 'vite';

// Names without hashes keep the compiled files comparable; the server gives them an ETag.
export default defineConfig({
  base: './',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  publicDir: 'public',
  build: {
    outDir: 'built',
    emptyOutDir: true,
    target: 'es2022',
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        entryFileNames: 'console/console.js',
        chunkFileNames: 'console/[name].js',
        assetFileNames: 'console/console[extname]',
      },
    },
  },
});
