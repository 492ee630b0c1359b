// The demo panel: a button that fills in the user, and a virtual YubiKey that types as a real one does.

const MILLISECONDS_PER_CHARACTER = 8;

const fill = document.querySelector('#demo-fill');
if (fill) {
  fill.hidden = false;
  fill.addEventListener('click', () => {
    for (const field of ['name', 'password']) {
      const input = document.querySelector(field === 'name' ? '#username' : '#password');
      input.value = document.querySelector(`#demo-${field}`).textContent;
    }
    document.querySelector('.card .primary').focus();
  });
}

const panel = document.querySelector('#demo-yubikey');
if (panel) {
  // A real key leaves the cursor where it is, so the buttons must not take the focus.
  panel.addEventListener('mousedown', (event) => event.preventDefault());
  panel.addEventListener('submit', (event) => {
    event.preventDefault();
    void touch(event.submitter);
  });
}

async function touch(key) {
  const status = panel.querySelector('[role=status]');
  const field = document.activeElement?.matches('.card input.otp')
    ? document.activeElement
    : document.querySelector('#otp');
  setBusy(true);
  try {
    const otp = await press(key.value);
    status.textContent = 'The key is typing…';
    await type(otp, field);
    field.form.requestSubmit();
  } catch {
    status.textContent = 'The key did not answer. Load the page again.';
  } finally {
    setBusy(false);
  }
}

async function press(key) {
  const response = await fetch(panel.action, {
    method: 'POST',
    headers: { Accept: 'application/json', 'X-CSRF-Token': panel.elements._csrf.value },
    body: new URLSearchParams({ touch: key }),
  });
  return (await response.json()).otp;
}

async function type(text, field) {
  field.focus();
  field.value = '';
  for (const character of text) {
    field.value += character;
    await new Promise((resolve) => setTimeout(resolve, MILLISECONDS_PER_CHARACTER));
  }
}

function setBusy(busy) {
  panel.classList.toggle('busy', busy);
  for (const button of panel.querySelectorAll('button')) button.disabled = busy;
}
