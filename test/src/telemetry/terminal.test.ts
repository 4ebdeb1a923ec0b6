import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { Terminal } from '../../../src/telemetry/terminal.js'

async function shown(pageUrl: string | undefined): Promise<string> {
  const out = new PassThrough()
  new Terminal(out).showStart('http://127.0.0.1:8080/mcp', pageUrl)
  out.end()
  return await text(out)
}

describe('what a person at a terminal sees at the start', () => {
  it('is where to connect, and where the page is, if there is one', async () => {
    expect(await shown('http://127.0.0.1:9090')).toContain('http://127.0.0.1:9090')
    expect(await shown(undefined)).toContain('http://127.0.0.1:8080/mcp')
    expect(await shown(undefined)).not.toContain('the page')
  })
})
