// The load: keep-alive connections, each of which waits for its answer before it asks again. Plain `node:net` and prepared
// bytes, so that the one who measures costs less than the one who is measured.
import { connect } from 'node:net'

const HEAD_END = '\r\n\r\n'
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n')

/**
 * Asks for `seconds` over as many connections as there are `requests`: each sends its own again and again, since a session
 * runs no two requests of one id. Returns calls per second, and latencies in milliseconds. The first answer of each connection is
 * read whole; one that is not the result for that id ends everything with an error.
 */
export async function load(port, requests, seconds) {
  const open = openLoad(port, requests)
  const { latencies, took } = await open.ask(seconds)
  open.close()
  latencies.sort((one, other) => one - other)
  return {
    calls: latencies.length,
    callsPerSecond: latencies.length / took,
    p50: latencies[Math.floor(latencies.length * 0.5)],
    p99: latencies[Math.floor(latencies.length * 0.99)],
  }
}

/** The same with connections that stay, for many short whiles. */
export function openLoad(port, requests) {
  const connections = requests.map(({ id, bytes }) => new Connection(port, id, bytes))
  return {
    /** Asks for so long. Latencies are in no order. */
    ask: async (seconds) => {
      const latencies = []
      const begin = performance.now()
      const end = begin + seconds * 1000
      await Promise.all(connections.map((it) => it.run(end, latencies)))
      return { latencies, took: (performance.now() - begin) / 1000 }
    },
    close: () => {
      for (const connection of connections) connection.close()
    },
  }
}

class Connection {
  #socket
  #id
  #request
  /** What is to be done with an answer, and with what keeps it from coming. */
  #answered = () => {}
  #failed = () => {}
  #sentAt = 0
  /** Bytes of the body that are still to come; negative where only its end tells. */
  #missing = 0
  #head = Buffer.alloc(0)
  #tail = Buffer.alloc(0)
  /** Of the first answer. */
  #kept = []
  #length

  constructor(port, id, request) {
    this.#id = id
    this.#request = request
    const fail = (error) => {
      this.#socket.destroy()
      this.#failed(error)
    }
    this.#socket = connect(port, '127.0.0.1').setNoDelay(true)
    this.#socket.on('error', fail)
    this.#socket.on('close', () => this.#failed(closed()))
    this.#socket.on('data', (chunk) => {
      try {
        if (!this.#hasEnded(chunk)) return
        if (this.#kept !== undefined) this.#check()
      } catch (error) {
        return fail(error)
      }
      this.#answered()
    })
  }

  /** Asks until then; what is asked last is answered later. Adds how long each answer took. */
  run(until, latencies) {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(this.#socket.errored ?? closed())
      this.#failed = reject
      this.#answered = () => {
        const now = performance.now()
        latencies.push(now - this.#sentAt)
        if (now < until) this.#send()
        else resolve()
      }
      if (this.#socket.connecting) this.#socket.once('connect', () => this.#send())
      else this.#send()
    })
  }

  close() {
    this.#socket.end()
  }

  #send() {
    this.#sentAt = performance.now()
    this.#socket.write(this.#request)
  }

  /** Whether this chunk is the last of an answer. */
  #hasEnded(chunk) {
    this.#kept?.push(chunk)
    if (this.#missing === 0) return this.#begin(chunk)
    if (this.#missing < 0) return this.#isLast(chunk)
    this.#missing -= chunk.length
    return this.#missing === 0
  }

  #begin(chunk) {
    const head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk])
    const end = head.indexOf(HEAD_END)
    if (end === -1) {
      this.#head = head
      return false
    }
    this.#head = Buffer.alloc(0)
    const text = head.latin1Slice(0, end)
    if (!text.startsWith('HTTP/1.1 200')) throw unexpected(head)
    const length = /content-length: *(\d+)/i.exec(text)?.[1]
    if (length === undefined) {
      this.#missing = -1
      this.#tail = Buffer.alloc(0)
      return this.#isLast(head)
    }
    // The same request has the same answer, so that errors in between show.
    this.#length ??= length
    if (length !== this.#length) throw unexpected(head)
    this.#missing = Number(length) - (head.length - end - HEAD_END.length)
    return this.#missing === 0
  }

  /** JSON and events hold no carriage return, so that this ends nothing but an answer. */
  #isLast(chunk) {
    const enough = chunk.length >= LAST_CHUNK.length
    const end = enough ? chunk : Buffer.concat([this.#tail, chunk])
    this.#tail = end.subarray(-LAST_CHUNK.length)
    if (!this.#tail.equals(LAST_CHUNK)) return false
    this.#missing = 0
    return true
  }

  #check() {
    const whole = Buffer.concat(this.#kept)
    this.#kept = undefined
    const text = whole.toString('utf8', whole.indexOf(HEAD_END))
    const id = /"id":("[^"]*"|\d+)/.exec(text)?.[1]
    const isResult = text.includes('"result":') && !text.includes('"isError":true')
    if (id !== JSON.stringify(this.#id) || !isResult) throw unexpected(whole)
  }
}

function closed() {
  return new Error('a contender closed its connection')
}

function unexpected(answer) {
  return new Error(`unexpected answer: ${answer.toString('utf8', 0, 600)}`)
}
