import type { PullProgress } from "./progress-reporter.ts";

/**
 * One line for a terminal of `columns` columns, never longer: name, bar, percent, bytes, speed, remaining
 * time. What does not fit is left out, least important first. No colour and no line end.
 */
export function renderProgress(progress: PullProgress, columns: number): string {
  const width = Math.max(0, Math.floor(columns));
  const known = progress.totalBytes !== null && progress.totalBytes > 0;
  const share = known ? Math.min(1, progress.receivedBytes / (progress.totalBytes ?? 1)) : undefined;
  // 100 % is only said of a finished pull.
  const percent =
    share === undefined ? "" : `${Math.floor(share * (progress.phase === "done" ? 100 : 99.999))}%`;
  const optional = [percent.padStart(4), bytesText(progress), speedText(progress), remainingText(progress)];
  const details =
    progress.phase === "resolve" ? ["looking up"] : optional.filter((part) => part.trim() !== "");

  while (details.length > 1 && details.join("  ").length + 2 + minimumNameWidth > width) details.pop();
  const tail = details.join("  ");
  const nameWidth = Math.max(0, width - tail.length - 2);
  const nameOnly = shorten(progress.file, Math.min(nameWidth, maximumNameWidth));
  if (nameOnly === "") return tail.slice(0, width);

  const barWidth = Math.min(maximumBarWidth, width - nameOnly.length - tail.length - 4);
  const bar = share === undefined || barWidth < minimumBarWidth ? "" : `${drawBar(share, barWidth)}  `;
  return `${nameOnly}  ${bar}${tail}`.slice(0, width);
}

const minimumNameWidth = 8;
const maximumNameWidth = 40;
const minimumBarWidth = 6;
const maximumBarWidth = 40;

function drawBar(share: number, width: number): string {
  const filled = Math.floor(share * width);
  return "█".repeat(filled) + "░".repeat(width - filled);
}

function bytesText(progress: PullProgress): string {
  if (progress.phase === "done" || progress.totalBytes === null) return formatBytes(progress.receivedBytes);
  return `${formatBytes(progress.receivedBytes)}/${formatBytes(progress.totalBytes)}`;
}

function speedText(progress: PullProgress): string {
  if (progress.phase === "verify") return "verifying";
  if (progress.phase === "done") return "done";
  return progress.bytesPerSecond > 0 ? `${formatBytes(progress.bytesPerSecond)}/s` : "";
}

function remainingText(progress: PullProgress): string {
  if (progress.phase !== "download" || progress.totalBytes === null || progress.bytesPerSecond <= 0)
    return "";
  const seconds = Math.ceil(
    Math.max(0, progress.totalBytes - progress.receivedBytes) / progress.bytesPerSecond,
  );
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  if (seconds < 360_000) return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
  return "";
}

/** Decimal units, as the hub shows them: `999 B`, `1.5 kB`, `105.5 MB`, `4.92 GB`. */
export function formatBytes(sizeBytes: number): string {
  if (sizeBytes < 1000) return `${Math.round(sizeBytes)} B`;
  if (sizeBytes < 1_000_000) return `${(sizeBytes / 1000).toFixed(1)} kB`;
  if (sizeBytes < 1_000_000_000) return `${(sizeBytes / 1_000_000).toFixed(1)} MB`;
  return `${(sizeBytes / 1_000_000_000).toFixed(2)} GB`;
}

function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  return width < 2 ? "" : `${text.slice(0, width - 1)}…`;
}
