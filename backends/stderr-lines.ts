/** The lines of what a child process writes to its stderr, each as far as anybody would read it. */
import { StringDecoder } from 'node:string_decoder'
import type { Readable } from 'node:stream'

/** What is beyond is read and dropped: a child that ends no line must not fill our memory. */
const MAX_CHARS = 2_000

/** Calls `onLine` with each line that is not empty. Reads until the end: an unread pipe would block the child. */
export function readLines(stderr: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let line = ''
  const end = (): void => {
    if (line !== '') onLine(line)
    line = ''
  }
  stderr.on('data', (chunk: Buffer) => {
    const [first = '', ...others] = decoder.write(chunk).split(/\r?\n|\r/)
    line = (line + first).slice(0, MAX_CHARS)
    for (const other of others) {
      end()
      line = other.slice(0, MAX_CHARS)
    }
  })
  stderr.once('end', end)
}
