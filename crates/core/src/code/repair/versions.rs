//! Packages that may be listed without asking anybody, and the versions that are listed then. The name
//! of any other one may be invented, and whoever has registered it since would be installed: that is a
//! model's, or a person's, to decide.

/// Name and range. The ranges go together: React 18, Vite 5, Tailwind 3.
const KNOWN: [(&str, &str); 55] = [
    ("@emotion/react", "^11.11.0"),
    ("@emotion/styled", "^11.11.0"),
    ("@headlessui/react", "^2.0.0"),
    ("@heroicons/react", "^2.1.1"),
    ("@hookform/resolvers", "^3.3.0"),
    ("@mui/icons-material", "^5.15.0"),
    ("@mui/material", "^5.15.0"),
    ("@reduxjs/toolkit", "^2.0.0"),
    ("@tanstack/react-query", "^5.0.0"),
    ("@tanstack/react-table", "^8.10.0"),
    ("@vitejs/plugin-react", "^4.2.0"),
    ("@vitejs/plugin-react-swc", "^3.5.0"),
    ("autoprefixer", "^10.4.0"),
    ("axios", "^1.6.0"),
    ("chart.js", "^4.4.0"),
    ("class-variance-authority", "^0.7.0"),
    ("classnames", "^2.3.0"),
    ("clsx", "^2.0.0"),
    ("convex", "^1.10.0"),
    ("date-fns", "^3.0.0"),
    ("dayjs", "^1.11.0"),
    ("eslint", "^8.57.0"),
    ("express", "^4.18.0"),
    ("framer-motion", "^11.0.0"),
    ("i18next", "^23.7.0"),
    ("immer", "^10.0.0"),
    ("lodash", "^4.17.21"),
    ("lucide-react", "^0.400.0"),
    ("nanoid", "^5.0.0"),
    ("next", "^14.2.0"),
    ("postcss", "^8.4.0"),
    ("prettier", "^3.0.0"),
    ("prop-types", "^15.8.0"),
    ("react", "^18.2.0"),
    ("react-chartjs-2", "^5.2.0"),
    ("react-dom", "^18.2.0"),
    ("react-hook-form", "^7.50.0"),
    ("react-i18next", "^14.0.0"),
    ("react-icons", "^5.0.0"),
    ("react-redux", "^9.0.0"),
    ("react-router", "^6.20.0"),
    ("react-router-dom", "^6.20.0"),
    ("recharts", "^2.10.0"),
    ("sass", "^1.70.0"),
    ("sonner", "^1.4.0"),
    ("styled-components", "^6.1.0"),
    ("swr", "^2.2.0"),
    ("tailwind-merge", "^2.2.0"),
    ("tailwindcss", "^3.4.0"),
    ("typescript", "^5.4.0"),
    ("uuid", "^9.0.0"),
    ("vite", "^5.0.0"),
    ("vitest", "^1.2.0"),
    ("zod", "^3.22.0"),
    ("zustand", "^4.5.0"),
];

/// What builds and checks, and is not part of what runs.
const TOOLS: [&str; 9] =
    ["autoprefixer", "eslint", "postcss", "prettier", "sass", "tailwindcss", "typescript", "vite", "vitest"];

/// Packages that must have the version of another one.
const TOGETHER: [(&str, &str); 4] = [
    ("react-dom", "react"),
    ("react", "react-dom"),
    ("react-router-dom", "react-router"),
    ("react-router", "react-router-dom"),
];

/// The range under which a package is listed; `None` if it is not known. `listed` gives the ranges of
/// what is listed already.
pub(super) fn range(package: &str, listed: impl Fn(&str) -> Option<String>) -> Option<String> {
    let known = KNOWN.iter().find(|(name, _)| *name == package).map(|(_, range)| (*range).to_owned())?;
    let partner = TOGETHER.iter().find(|(name, _)| *name == package).map(|(_, partner)| *partner);
    Some(partner.and_then(listed).unwrap_or(known))
}

/// Whether a package belongs to `devDependencies`.
pub(super) fn is_tool(package: &str) -> bool {
    TOOLS.contains(&package) || package.starts_with("@vitejs/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_in_order_and_once() {
        assert!(KNOWN.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn react_and_its_renderer_have_one_version() {
        let listed = |name: &str| (name == "react").then(|| "^19.0.0".to_owned());
        assert_eq!(range("react-dom", listed).as_deref(), Some("^19.0.0"));
        assert_eq!(range("zod", listed).as_deref(), Some("^3.22.0"));
        assert_eq!(range("@acme/axios", listed), None);
    }
}
