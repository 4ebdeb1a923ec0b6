/** Passes on what a worker writes in whole lines: those of several, written to one pipe, would run into each other. */
import { StringDecoder } from 'node:string_decoder'

export class LineRelay {
  readonly #write: (lines: string) => void
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  /** `write` is given one whole line or several. */
  constructor(write: (lines: string) => void) {
    this.#write = write
  }

  push(chunk: Buffer): void {
    const text = this.#rest + this.#decoder.write(chunk)
    const end = text.lastIndexOf('\n') + 1
    this.#rest = text.slice(end)
    if (end > 0) this.#write(text.slice(0, end))
  }
}
