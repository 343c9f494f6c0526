document.title = "built by Vite";
