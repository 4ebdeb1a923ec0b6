/** Server-sent events out of pieces of text (HTML Living Standard, 9.2.6). Only their data matters here. */
export class SseParser {
  #rest = ''
  #data = []
  #onData

  /** @param {(data: string) => void} onData */
  constructor(onData) {
    this.#onData = onData
  }

  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
  }

  #line(line) {
    if (line === '') {
      const data = this.#data.join('\n')
      this.#data = []
      if (data !== '') this.#onData(data)
    } else if (line.startsWith('data:')) this.#data.push(line.slice(5).replace(/^ /, ''))
  }
}
