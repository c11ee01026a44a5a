export const UNAVAILABLE = "The kernel does not respond. Run the notebook's cells again.";
export const RESTARTED = "The kernel was restarted. Run the cell again.";

/** An error whose message is written for the user. */
export class UserError extends Error {}

/** An error reply of the kernel, with the kernel's message. */
export class KernelError extends UserError {
  /** @param ruleRejected whether the projection rule cannot be applied to the layer */
  constructor(
    message: string,
    readonly ruleRejected = false,
  ) {
    super(message);
  }
}

/** The kernel is disconnected, did not reply in time, or was restarted and no longer has the widget. */
export class KernelUnavailable extends UserError {
  constructor(message = UNAVAILABLE) {
    super(message);
  }
}

/** Return the message to show for an error. Errors of other libraries are written to the console instead. */
export function errorMessage(error: unknown): string {
  if (error instanceof UserError) return error.message;
  console.error(error);
  return "Unexpected error in the page; see the browser's console. Try again.";
}
