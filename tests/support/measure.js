// Runs in the page around the frame that holds an unchanged report, and writes what a reader would see into #measured.
(() => {
  const frame = document.querySelector('iframe');
  const seen = (element) => {
    const box = element.getBoundingClientRect();
    const style = frame.contentWindow.getComputedStyle(element);
    return box.width > 0 && box.height > 0 && style.visibility === 'visible' && style.display !== 'none';
  };
  const channels = (color) => {
    const rgb = color.match(/^rgba?\(([^)]+)\)$/);
    return rgb ? rgb[1].split(/[ ,/]+/).map(Number) : null;
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(frame.contentWindow.getComputedStyle(at).backgroundColor);
      if (color && (color.length < 4 || color[3] === 1)) return color;
    }
    return [255, 255, 255];
  };
  const name = (element) => `${element.tagName.toLowerCase()}.${element.getAttribute('class') || ''} "${element.textContent.trim().slice(0, 40)}"`;

  const measure = () => {
    const view = frame.contentWindow;
    const page = frame.contentDocument;
    // What a reader can open is measured open; in a very long page it stays closed, and is not measured.
    const long = page.getElementsByTagName('*').length > 20000;
    if (!long) page.querySelectorAll('details').forEach((details) => { details.open = true; });
    const all = [...page.body.querySelectorAll('*')].filter((element) => !element.closest('details:not([open]) > :not(summary)'));
    const width = page.documentElement.clientWidth;
    const aside = (element) => element.closest('.scroll, .unseen, .symbols, .skip, title, desc');
    const overflowing = all.filter((element) => seen(element) && !aside(element)).filter((element) => {
      const box = element.getBoundingClientRect();
      return box.right > width + 1 || box.left < -1;
    });
    const faint = all.filter((element) => {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
      if (!own || !seen(element) || aside(element)?.matches('.unseen, .skip, title, desc')) return false;
      const color = channels(view.getComputedStyle(element).color);
      return color && contrast(color, background(element)) < 4.5;
    });
    const colliding = [...page.querySelectorAll('.axis')].filter(seen).filter((axis) => {
      const boxes = [...axis.children].map((label) => label.getBoundingClientRect());
      const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
      return boxes.some((box, index) => boxes.slice(0, index).some((other) => !apart(box, other)));
    });
    const dangling = [...page.querySelectorAll('a[href^="#"], use')].map((link) => link.getAttribute('href'))
      .filter((target) => !page.getElementById(target.slice(1)));
    const ids = all.map((element) => element.id).filter(Boolean);
    const result = {
      width,
      scroll_width: page.documentElement.scrollWidth,
      overflowing: overflowing.slice(0, 5).map(name),
      faint: faint.slice(0, 5).map(name),
      colliding: colliding.slice(0, 5).map(name),
      dangling,
      duplicate_ids: ids.filter((id, index) => ids.indexOf(id) !== index),
      verdict: page.querySelector('h1').innerText.trim(),
      verdict_in_sight: seen(page.querySelector('h1')) && page.querySelector('h1').getBoundingClientRect().bottom < 640,
      verdict_icon: seen(page.querySelector('h1 svg')),
      meter: page.querySelector('.meter-value').innerText,
      changed: [...page.querySelectorAll('.changed .name')].filter(seen).map((element) => element.innerText.trim()),
      features: [...page.querySelectorAll('article h3')].map((element) => element.textContent.trim()),
      pictures: [...page.querySelectorAll('article svg.picture')].map((element) => {
        const box = element.getBoundingClientRect();
        return [box.width, box.height];
      }),
      strip_rows: page.querySelectorAll('.strip tbody tr').length,
      trend_points: page.querySelectorAll('.point').length,
      background: view.getComputedStyle(page.body).backgroundColor,
      hostile: typeof view.hostile !== 'undefined' || typeof window.hostile !== 'undefined',
      scripts: page.scripts.length,
    };
    document.body.textContent = '';
    const out = document.createElement('pre');
    out.id = 'measured';
    out.textContent = JSON.stringify(result);
    document.body.append(out);
  };
  // The frame's document is part of this page's loading, and the browser prints the page once it has loaded.
  window.addEventListener('load', measure);
  frame.srcdoc = document.getElementById('report').textContent;
})();
