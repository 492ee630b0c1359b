// Helps a touch along. Without this script the field works as any other.

const PART = 'Only a part arrived. Touch the key again, and leave the cursor alone until it has finished.';
const OTHER_LAYOUT =
  'Your keyboard has another layout than your key expects. Trying to read it all the same…';

/** The token alone has 32 characters. */
const SHORTEST = 32;
const TOUCH = /^\S{32,48}$/;
const MODHEX = /^[cbdefghijklnrtuv]*$/i;
/** Of a key, the longest between two characters. Nobody else types that many without a longer one. */
const PAUSE_MILLISECONDS = 250;

const field = document.querySelector('#otp');
const { form } = field;
const word = document.querySelector('#otp-word');

let sent = false;
let typed = '';
let typedAt = 0;
let before = '';

document.addEventListener('keydown', (event) => {
  const { target, key, timeStamp } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || target === field) return;
  const goesOn = timeStamp - typedAt <= PAUSE_MILLISECONDS;
  typedAt = timeStamp;
  if (key === 'Enter') {
    if (goesOn && TOUCH.test(typed)) takeFrom(target, event);
  } else if (/^\S$/u.test(key)) {
    if (!goesOn) [typed, before] = ['', target.value];
    typed += key;
    // Where the cursor is in no field, what is typed would be lost.
    if (!target.matches('input')) field.focus();
  }
});

/** A touch while the cursor was in another field: that one gets back what it had. */
function takeFrom(other, event) {
  // A password manager types passwords just as fast.
  if (!other.matches('input') || other.type === 'password') return;
  event.preventDefault();
  other.value = before;
  field.value = typed;
  form.requestSubmit();
}

form.addEventListener('submit', (event) => {
  const otp = field.value.trim();
  if (sent || otp.length < SHORTEST) event.preventDefault();
  // A second touch would take the place of the first, whose answer is on its way.
  if (sent) return;
  if (otp.length < SHORTEST) {
    say(PART);
    field.value = '';
    field.focus();
  } else {
    sent = true;
    say(MODHEX.test(otp) || otp.includes('://') ? 'Checking…' : OTHER_LAYOUT);
  }
});

field.addEventListener('input', () => say(''));

// Nothing is left for whoever comes back to this page.
addEventListener('pagehide', () => {
  field.value = '';
});
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) [sent, typed] = [false, ''];
});

function say(words) {
  word.textContent = words;
}
