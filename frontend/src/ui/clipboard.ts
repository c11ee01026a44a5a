/** Copy a text. Return false if the browser does not allow it. */
export async function copyToClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text); // there is no clipboard in a page that was not loaded over HTTPS
    return true;
  } catch {
    return false;
  }
}
