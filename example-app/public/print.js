// Hidden without scripts: the browser's own menu can print too.
const button = document.querySelector('#print');
button.hidden = false;
button.addEventListener('click', () => window.print());
