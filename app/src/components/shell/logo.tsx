/** The star that one steers by. */
export function Logo({ className = "size-6" }: { className?: string }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" className={className}>
      <path
        d="M12 1.5c.9 6 4 9.2 10.5 10.5C16 13.3 12.9 16.5 12 22.5 11.1 16.5 8 13.3 1.5 12 8 10.7 11.1 7.5 12 1.5Z"
        className="fill-accent"
      />
    </svg>
  );
}
