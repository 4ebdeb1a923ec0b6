/** Why a must does not hold, by its key; shown in docs/performance.md where it does not. */
export const EXPLANATIONS = {}
