/** The section `admin`: the listener for those who run the gateway. */
import { z } from 'zod'
import { isLoopback } from './guards.js'
import { portSchema } from './settings.js'

const listenerSchema = z
  .strictObject({
    host: z.string().min(1).prefault('127.0.0.1').describe('Address to listen on.'),
    port: portSchema.prefault(9090).describe('Port to listen on; 0 takes any free one.'),
    token: z
      .string()
      .min(16, 'expected at least 16 characters')
      .optional()
      .describe('Bearer token to be shown; required unless the address is a loopback one.'),
  })
  .refine(({ host, token }) => token !== undefined || isLoopback(host), {
    message: 'is required where the listener can be reached from elsewhere',
    path: ['token'],
  })

export const adminSchema = z
  .union([z.literal(false), listenerSchema])
  .optional()
  .describe(
    'Metrics, state and probes, on a listener of their own; `false` for none. Without this section it listens at 127.0.0.1:9090, if that port is free.',
  )

export type AdminSettings = z.output<typeof listenerSchema>

export const DEFAULT_ADMIN: AdminSettings = listenerSchema.parse({})
