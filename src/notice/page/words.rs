//! What the page says, in each of its languages.

use crate::notice::Language;

/// The words of one language. None of them needs escaping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// What is going on: the title and the heading.
    pub(super) title: &'static str,
    /// Above the end.
    pub(super) back: &'static str,
    /// Above the countdown.
    pub(super) left: &'static str,
    /// The end is past, and the app is about to be back.
    pub(super) soon: &'static str,
    /// The end is past, and the app is not back.
    pub(super) longer: &'static str,
    /// Nobody knows the end.
    pub(super) unknown: &'static str,
    /// What the page does by itself.
    pub(super) reload: &'static str,
}

pub(super) const fn words(language: Language) -> Words {
    match language {
        Language::English => ENGLISH,
        Language::German => GERMAN,
        Language::French => FRENCH,
        Language::Spanish => SPANISH,
        Language::Portuguese => PORTUGUESE,
        Language::Italian => ITALIAN,
        Language::Dutch => DUTCH,
        Language::Polish => POLISH,
        Language::Japanese => JAPANESE,
        Language::Chinese => CHINESE,
        Language::TraditionalChinese => TRADITIONAL_CHINESE,
    }
}

const ENGLISH: Words = Words {
    title: "Down for maintenance",
    back: "Expected back",
    left: "Time left",
    soon: "We’ll be back any moment now.",
    longer: "This is taking a little longer than planned.",
    unknown: "We’ll be back as soon as we can.",
    reload: "This page will reload automatically.",
};

const GERMAN: Words = Words {
    title: "Wartungsarbeiten",
    back: "Voraussichtlich wieder verfügbar",
    left: "Verbleibende Zeit",
    soon: "Wir sind gleich wieder für Sie da.",
    longer: "Es dauert etwas länger als geplant.",
    unknown: "Wir sind so bald wie möglich wieder für Sie da.",
    reload: "Diese Seite wird automatisch neu geladen.",
};

const FRENCH: Words = Words {
    title: "Maintenance en cours",
    back: "Retour prévu",
    left: "Temps restant",
    soon: "Nous serons de retour d’un instant à l’autre.",
    longer: "Cela prend un peu plus de temps que prévu.",
    unknown: "Nous serons de retour dès que possible.",
    reload: "Cette page se rechargera automatiquement.",
};

const SPANISH: Words = Words {
    title: "Estamos en mantenimiento",
    back: "Regreso previsto",
    left: "Tiempo restante",
    soon: "Volveremos en unos instantes.",
    longer: "Está tardando un poco más de lo previsto.",
    unknown: "Volveremos lo antes posible.",
    reload: "Esta página se actualizará automáticamente.",
};

const PORTUGUESE: Words = Words {
    title: "Estamos em manutenção",
    back: "Previsão de retorno",
    left: "Tempo restante",
    soon: "Voltaremos em instantes.",
    longer: "A manutenção vai demorar um pouco mais do que o previsto.",
    unknown: "Voltaremos assim que possível.",
    reload: "Esta página será recarregada automaticamente.",
};

const ITALIAN: Words = Words {
    title: "Manutenzione in corso",
    back: "Ripresa prevista",
    left: "Tempo rimanente",
    soon: "Torneremo online tra pochi istanti.",
    longer: "Ci vuole un po’ più del previsto.",
    unknown: "Torneremo online il prima possibile.",
    reload: "Questa pagina si ricaricherà automaticamente.",
};

const DUTCH: Words = Words {
    title: "Bezig met onderhoud",
    back: "Naar verwachting terug",
    left: "Resterende tijd",
    soon: "We zijn zo weer terug.",
    longer: "Het duurt iets langer dan gepland.",
    unknown: "We zijn zo snel mogelijk terug.",
    reload: "Deze pagina wordt automatisch vernieuwd.",
};

const POLISH: Words = Words {
    title: "Przerwa techniczna",
    back: "Przewidywany powrót",
    left: "Pozostały czas",
    soon: "Za chwilę wracamy.",
    longer: "To potrwa nieco dłużej, niż planowaliśmy.",
    unknown: "Wrócimy najszybciej, jak to możliwe.",
    reload: "Ta strona odświeży się automatycznie.",
};

const JAPANESE: Words = Words {
    title: "メンテナンス中です",
    back: "再開予定",
    left: "残り時間",
    soon: "まもなく再開いたします。",
    longer: "予定より少しお時間をいただいております。",
    unknown: "再開まで今しばらくお待ちください。",
    reload: "このページは自動的に再読み込みされます。",
};

const CHINESE: Words = Words {
    title: "系统维护中",
    back: "预计恢复时间",
    left: "剩余时间",
    soon: "服务即将恢复。",
    longer: "维护时间比预计稍长。",
    unknown: "我们会尽快恢复服务。",
    reload: "本页面将自动刷新。",
};

const TRADITIONAL_CHINESE: Words = Words {
    title: "系統維護中",
    back: "預計恢復時間",
    left: "剩餘時間",
    soon: "服務即將恢復。",
    longer: "維護時間比預計稍長。",
    unknown: "我們會盡快恢復服務。",
    reload: "本頁面將自動重新整理。",
};
