/** The word that somebody may have meant. */

/** The nearest candidate, where one is near enough for a guess to be of use. */
export function nearestWord(word: string, candidates: readonly string[]): string | undefined {
  let nearest: string | undefined
  let bound = Math.max(1, Math.floor(word.length / 3))
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > bound) continue
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance > bound) continue
    nearest = candidate
    bound = distance - 1
  }
  return nearest
}

/** How many letters to insert, remove, replace, or swap with their neighbour. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = []
  const cost = (i: number, j: number) => rows[i]?.[j] ?? Infinity
  for (let i = 0; i <= a.length; i += 1) {
    const row: number[] = []
    rows.push(row)
    for (let j = 0; j <= b.length; j += 1) {
      const replaced = cost(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwap ? cost(i - 2, j - 2) + 1 : Infinity
      const nothingYet = i + j === 0 ? 0 : Infinity
      row.push(Math.min(nothingYet, replaced, swapped, cost(i - 1, j) + 1, cost(i, j - 1) + 1))
    }
  }
  return cost(a.length, b.length)
}
