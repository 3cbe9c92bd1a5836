export default function Home() {
  return (
    <main className="mx-auto max-w-3xl p-6">
      <h1 className="font-semibold text-2xl">Polaris</h1>
    </main>
  );
}
