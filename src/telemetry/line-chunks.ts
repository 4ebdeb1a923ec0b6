/**
 * Lines gathered as bytes, to be written together. A line becomes bytes as soon as it is there: texts that wait are moved by
 * the collector, and whoever writes one large text measures and encodes it twice.
 */
const CHUNK_BYTES = 64 * 1024
/** As much as a UTF-16 unit takes in UTF-8 at most. */
const MAX_UNIT_BYTES = 3

export class LineChunks {
  readonly #write: (bytes: Buffer) => void
  #chunk = Buffer.alloc(0)
  /** What is before it has been written. */
  #begin = 0
  #end = 0

  /** `write` may keep the bytes, which stay as they are. */
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
      this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
      this.#begin = this.#end = 0
    }
    this.#end += this.#chunk.write(line, this.#end)
  }

  /** Writes what waits. The rest of the chunk is for lines to come. */
  flush(): void {
    if (this.isEmpty) return
    const bytes = this.#chunk.subarray(this.#begin, this.#end)
    this.#begin = this.#end
    this.#write(bytes)
  }
}
