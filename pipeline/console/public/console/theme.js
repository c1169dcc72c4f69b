// Runs before the first paint: dark or light, as the user chose or else as the system is.
(() => {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const show = () => {
    let chosen = null;
    try {
      chosen = JSON.parse(localStorage.getItem('fusetrack.theme'));
    } catch {
      // Nothing was chosen, or nothing is kept in this browser.
    }
    const isDark = chosen === 'dark' || (chosen !== 'light' && system.matches);
    document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
  };
  show();
  system.addEventListener('change', show);
  addEventListener('theme', show);
})();
