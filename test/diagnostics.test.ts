import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { publish } from '../src/diagnostics.js';

const MESSAGE = { verifier: 'KsmVerifier', publicId: 'cccccccccccb', reason: 'BAD_OTP' } as const;

describe('publish', () => {
  it('builds no message unless somebody subscribes to this channel', () => {
    const build = vi.fn(() => MESSAGE);
    publish('refusal', build);
    expect(build).not.toHaveBeenCalled();

    const ofReplays = vi.fn();
    subscribe('passport-yubikey-otp:replay', ofReplays);
    onTestFinished(() => void unsubscribe('passport-yubikey-otp:replay', ofReplays));
    publish('refusal', build);
    expect(build).not.toHaveBeenCalled();
    publish('replay', build);
    expect(build).toHaveBeenCalledOnce();
    expect(ofReplays).toHaveBeenCalledExactlyOnceWith(MESSAGE, 'passport-yubikey-otp:replay');
  });

  it('builds one message for all subscribers of a channel, and none once they have left', () => {
    const build = vi.fn(() => MESSAGE);
    const subscribers = [vi.fn(), vi.fn()];
    for (const subscriber of subscribers) subscribe('passport-yubikey-otp:refusal', subscriber);
    publish('refusal', build);
    for (const subscriber of subscribers) {
      expect(subscriber).toHaveBeenCalledOnce();
      unsubscribe('passport-yubikey-otp:refusal', subscriber);
    }
    publish('refusal', build);
    expect(build).toHaveBeenCalledOnce();
  });
});
