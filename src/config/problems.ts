/** What is wrong with a configuration: every problem with its place, gathered before any of them is thrown. */

/** Where something stands; `line` and `column` count from 1, and 0 means the file as a whole. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
  /** The way to it from the top of its document, such as `targets[2].mcp.url`. */
  readonly path: string
}

/** Messages never hold the value they complain about, since it may be a secret. */
export interface ConfigProblem extends Place {
  readonly message: string
}

export class ConfigError extends Error {
  readonly code = 'ERR_CONFIG'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(problemLine).join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

export class Problems {
  readonly #byPlace = new Map<string, ConfigProblem>()

  /** The first word on a place stands: what comes later is said of the same mistake. */
  add(place: Place, message: string): void {
    const key = JSON.stringify([placeText(place), place.path])
    if (!this.#byPlace.has(key)) this.#byPlace.set(key, { ...place, message })
  }

  get any(): boolean {
    return this.#byPlace.size > 0
  }

  /** In reading order. */
  get all(): readonly ConfigProblem[] {
    return [...this.#byPlace.values()].toSorted(
      (a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column,
    )
  }

  /** One error of them all. */
  toError(): ConfigError {
    return new ConfigError(this.all)
  }
}

export function placeText({ file, line, column }: Place): string {
  return line === 0 ? file : `${file}:${line}:${column}`
}

export function memberPath(path: string, key: PropertyKey): string {
  if (typeof key === 'number') return `${path}[${key}]`
  const name = String(key)
  if (!/^[\w$-]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`
  return path === '' ? name : `${path}.${name}`
}

/** For people, on one line. */
export function problemLine(problem: ConfigProblem): string {
  const subject = problem.path === '' ? '' : ` ${problem.path}`
  return `${placeText(problem)}${subject}: ${problem.message}`
}
