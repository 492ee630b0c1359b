import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { json } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { ROOT } from './machine.js';

interface Manifest {
  name: string;
  version: string;
  dist?: { tarball: string; integrity?: string | undefined } | undefined;
}

/** All versions of one package, in the registry protocol. */
interface Packument {
  name: string;
  'dist-tags': Record<string, string>;
  versions: Record<string, Manifest>;
}

/** The body that `npm publish` sends: a packument of one version, and its tarball. */
interface Publication extends Packument {
  _attachments: Record<string, { data: string }>;
}

/**
 * An npm registry on loopback. It serves what is published to it, and the packages that this checkout has installed, so
 * that nothing is requested over the network.
 */
export class Registry {
  readonly #packuments = new Map<string, Promise<Packument>>();
  readonly #tarballs = new Map<string, Buffer>();
  readonly #installed = foldersByName();

  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Registry> {
    const server = createServer();
    const registry = new Registry(server);
    server.on('request', (req, res) => {
      registry.#answer(req, res).catch((error: Error) => res.writeHead(500).end(error.stack));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    server.unref();
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = decodeURIComponent(new URL(req.url as string, this.url).pathname).slice(1);
    if (req.method === 'PUT') {
      this.#keep((await json(req)) as Publication);
      res.writeHead(201).end('{}');
      return;
    }
    const tarball = this.#tarballs.get(path);
    if (tarball) {
      res.end(tarball);
      return;
    }
    const packument = await this.#findPackument(path);
    res.writeHead(packument ? 200 : 404, { 'content-type': 'application/json' });
    res.end(JSON.stringify(packument ?? { error: 'Not found' }));
  }

  #keep({ _attachments, ...packument }: Publication): void {
    for (const [file, { data }] of Object.entries(_attachments)) {
      this.#tarballs.set(`${packument.name}/-/${file}`, Buffer.from(data, 'base64'));
    }
    this.#packuments.set(packument.name, Promise.resolve(packument));
  }

  #findPackument(name: string): Promise<Packument> | undefined {
    const folders = this.#installed.get(name);
    if (!this.#packuments.has(name) && folders) this.#packuments.set(name, this.#pack(name, folders));
    return this.#packuments.get(name);
  }

  async #pack(name: string, folders: readonly string[]): Promise<Packument> {
    const versions: Record<string, Manifest> = {};
    for (const folder of folders) {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
      const tarball = await packFolder(folder);
      const path = `${name}/-/${basename(name)}-${manifest.version}.tgz`;
      this.#tarballs.set(path, tarball);
      const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
      versions[manifest.version] = { ...manifest, dist: { tarball: this.url + path, integrity } };
    }
    return { name, 'dist-tags': { latest: Object.keys(versions)[0] as string }, versions };
  }
}

/** Maps each package installed in this checkout to its folders; the one that the root uses comes first. */
function foldersByName(): Map<string, string[]> {
  const lock = JSON.parse(readFileSync(join(ROOT, 'node_modules/.package-lock.json'), 'utf8'));
  const folders = new Map<string, string[]>();
  for (const path of Object.keys(lock.packages).filter((path) => path.includes('node_modules/'))) {
    const file = join(ROOT, path, 'package.json');
    // Skips links to the packages of this checkout, and packages for other platforms, which are not installed.
    if (lock.packages[path].link || !existsSync(file)) continue;
    const { name } = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
    const found = folders.get(name) ?? [];
    if (path === `node_modules/${name}`) found.unshift(join(ROOT, path));
    else found.push(join(ROOT, path));
    folders.set(name, found);
  }
  return folders;
}

async function packFolder(folder: string): Promise<Buffer> {
  const args = ['-czf', '-', '--exclude=node_modules', '-C', dirname(folder), basename(folder)];
  const { stdout } = await promisify(execFile)('tar', args, { encoding: 'buffer', maxBuffer: 2 ** 28 });
  return stdout;
}
