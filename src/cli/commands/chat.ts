// `sluice chat`: the screen on a terminal, lines in and lines out on anything else.

import { chatLines } from '../chat/lines.ts'
import { chatScreen } from '../chat/screen.ts'
import type { Run } from '../command.ts'

export const chat: Run = (args, shell) =>
  shell.stdin.isTTY && shell.stdout.isTTY ? chatScreen(args, shell) : chatLines(args, shell)
