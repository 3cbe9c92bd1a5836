import { Dashboard } from "../components/dashboard/dashboard.tsx";

export default function Home() {
  return <Dashboard />;
}
