/** The files of the page, read once: nothing of them is made of anything that changes. */
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, sep } from 'node:path'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Scripts and styles are files of ours; nothing is made from text, and nobody frames or sends anything. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/** On everything that the admin listener answers. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
}

interface PageFile {
  readonly type: string
  readonly body: Buffer
  readonly etag: string
}

export class PageFiles {
  readonly #files = new Map<string, PageFile>()

  constructor() {
    // By its own name the package finds itself, from src as from dist.
    const root = dirname(createRequire(import.meta.url).resolve('mcp-junction/package.json'))
    const folder = join(root, 'src', 'page')
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const type = TYPES[extname(name)]
      if (type === undefined) continue
      const body = readFileSync(join(folder, name))
      const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
      const path = `/${name.split(sep).join('/')}`
      this.#files.set(path === '/index.html' ? '/' : path, { type, body, etag })
    }
  }

  has(path: string): boolean {
    return this.#files.has(path)
  }

  /** Answers with a file that there is. */
  answer(path: string, { headers }: IncomingMessage, response: ServerResponse): void {
    const { type, body, etag } = this.#files.get(path) as PageFile
    const common = { 'cache-control': 'no-cache', etag }
    if (headers['if-none-match'] === etag) return void response.writeHead(304, common).end()
    response
      .writeHead(200, { 'content-type': type, 'content-length': body.length, ...common })
      .end(body)
  }
}
