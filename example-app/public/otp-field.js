// Assists a touch of the key. Without this script the field works like any other.

const PART =
  'Only part of it arrived. Touch the key again, and leave the cursor alone until it has finished.';
const OTHER_LAYOUT = 'Your keyboard layout differs from the one your key expects. Trying to read it anyway…';

/** The token alone has 32 characters. */
const SHORTEST = 32;
const TOUCH = /^\S{32,48}$/;
const MODHEX = /^[cbdefghijklnrtuv]*$/i;
/** A key never pauses longer than this between two characters. A person does, within as many characters. */
const PAUSE_MILLISECONDS = 250;

const field = document.querySelector('#otp');
const { form } = field;
const hint = document.querySelector('#otp-hint');

let sent = false;
let typed = '';
let typedAt = 0;
let before = '';

document.addEventListener('keydown', (event) => {
  const { target, key, timeStamp } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || target === field) return;
  const continues = timeStamp - typedAt <= PAUSE_MILLISECONDS;
  typedAt = timeStamp;
  if (key === 'Enter') {
    if (continues && TOUCH.test(typed)) moveTouch(target, event);
  } else if (/^\S$/u.test(key)) {
    if (!continues) [typed, before] = ['', target.value];
    typed += key;
    // Outside a field, the typed characters would be lost.
    if (!target.matches('input')) field.focus();
  }
});

/** Moves a touch from another field to its own, and restores the other field's content. */
function moveTouch(other, event) {
  // A password manager types just as fast.
  if (!other.matches('input') || other.type === 'password') return;
  event.preventDefault();
  other.value = before;
  field.value = typed;
  form.requestSubmit();
}

form.addEventListener('submit', (event) => {
  const otp = field.value.trim();
  if (sent || otp.length < SHORTEST) event.preventDefault();
  // A second touch would cancel the first, which is still being checked.
  if (sent) return;
  if (otp.length < SHORTEST) {
    showHint(PART);
    field.value = '';
    field.focus();
  } else {
    sent = true;
    showHint(MODHEX.test(otp) || otp.includes('://') ? 'Checking…' : OTHER_LAYOUT);
  }
});

field.addEventListener('input', () => showHint(''));

// Going back to this page shows no OTP.
addEventListener('pagehide', () => {
  field.value = '';
});
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) [sent, typed] = [false, ''];
});

function showHint(text) {
  hint.textContent = text;
}
