/**
 * Lines gathered as bytes, to be written together. A line becomes bytes as soon as it is there: texts that wait are moved by
 * the collector, and whoever writes one large text measures and encodes it twice. Chunks are used again: new memory for
 * each, which the caches of the CPU do not have and the collector has to free, was a quarter of what a line cost.
 */
/** To hand one over to be written costs as much as a hundred lines. */
const CHUNK_BYTES = 256 * 1024
/** Where they are written slowly there are more for a while. */
const MAX_KEPT_CHUNKS = 2
/** As much as a UTF-16 unit takes in UTF-8 at most. */
const MAX_UNIT_BYTES = 3

export class LineChunks {
  readonly #write: (bytes: Buffer) => void
  #chunk: Buffer = Buffer.alloc(0)
  /** What is before it has been passed on. */
  #begin = 0
  #end = 0
  /** Full ones that may still have to be written. */
  #passedOn: Buffer[] = []
  /** Of which nobody needs what is in them. */
  #free: Buffer[] = []

  /** `write` may keep the bytes, which stay as they are until `written` is called. */
  constructor(write: (bytes: Buffer) => void) {
    this.#write = write
  }

  /** Whether nothing waits to be written. */
  get isEmpty(): boolean {
    return this.#begin === this.#end
  }

  add(line: string): void {
    const mostBytes = line.length * MAX_UNIT_BYTES
    if (mostBytes > CHUNK_BYTES) {
      this.flush()
      return this.#write(Buffer.from(line))
    }
    if (this.#end + mostBytes > this.#chunk.length) {
      this.flush()
      this.#replaceChunk()
    }
    this.#end += this.#chunk.write(line, this.#end)
  }

  /** Nobody needs any more what was passed to `write` so far. */
  written(): void {
    this.#free.push(...this.#passedOn)
    this.#passedOn = []
  }

  /** Writes what waits. The rest of the chunk is for lines to come. */
  flush(): void {
    if (this.isEmpty) return
    const bytes = this.#chunk.subarray(this.#begin, this.#end)
    this.#begin = this.#end
    this.#write(bytes)
  }

  #replaceChunk(): void {
    const isKept = this.#passedOn.length + this.#free.length < MAX_KEPT_CHUNKS
    if (isKept && this.#chunk.length > 0) this.#passedOn.push(this.#chunk)
    this.#chunk = this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
    this.#begin = this.#end = 0
  }
}
