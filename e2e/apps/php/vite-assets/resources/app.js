document.title = "vite-assets";
