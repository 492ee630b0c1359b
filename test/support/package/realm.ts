import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compileFunction, createContext, runInContext } from 'node:vm';
import type { Copy } from './copies.js';

const ENTRY_POINTS = ['', '/stores', '/server', '/testing'];

/** A realm with its own globals, such as Jest makes for each test file. */
export class Realm {
  readonly #context = createContext();

  constructor() {
    for (const name of Object.getOwnPropertyNames(globalThis)) {
      if (this.run(`${JSON.stringify(name)} in globalThis`)) continue;
      const property = Object.getOwnPropertyDescriptor(globalThis, name) as PropertyDescriptor;
      Object.defineProperty(this.run('globalThis'), name, property);
    }
  }

  run(code: string): unknown {
    return runInContext(code, this.#context);
  }

  /** Loads the CommonJS build of the package that a module would require: a new copy at each call. */
  load(from: string): Copy {
    const { resolve } = createRequire(from);
    const cache = new Map<string, object>();
    const loaded = ENTRY_POINTS.map((path) => this.#load(resolve(`passport-yubikey-otp${path}`), cache));
    return Object.assign({}, ...loaded);
  }

  #load(path: string, cache: Map<string, object>): object {
    const cached = cache.get(path);
    if (cached) return cached;
    const module = { exports: {} };
    cache.set(path, module.exports);
    const outside = createRequire(path);
    const require = (name: string) =>
      name.startsWith('.') ? this.#load(outside.resolve(name), cache) : outside(name);
    const run = compileFunction(
      readFileSync(path, 'utf8'),
      ['exports', 'require', 'module', '__filename', '__dirname'],
      { filename: path, parsingContext: this.#context },
    );
    run(module.exports, require, module, path, dirname(path));
    return module.exports;
  }
}
