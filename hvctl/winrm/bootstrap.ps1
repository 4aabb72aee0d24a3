$global:ProgressPreference = $global:WarningPreference = $global:VerbosePreference = $global:DebugPreference = 'SilentlyContinue'
$global:ConfirmPreference = 'None'
if ($ExecutionContext.SessionState.LanguageMode -eq 'FullLanguage') {
    try { [Console]::OutputEncoding = New-Object Text.UTF8Encoding $false } catch { }
}
$input | ForEach-Object {
    $line = $_
    if ($line.StartsWith('{"src"')) {
        try {
            $s = ConvertFrom-Json $line
            Invoke-Expression $s.src
            hvHello $s
        } catch {
            "`n@hv1 - {""n"":0,""t"":""fatal"",""code"":""source"",""why"":""the runner was not loaded: $($_.FullyQualifiedErrorId -replace '[^A-Za-z0-9_,.-]', '?')""}"
        }
    } elseif ($global:hv) {
        hvLine $line
    } else {
        "`n@hv1 - {""n"":0,""t"":""fatal"",""code"":""source"",""why"":""the runner is not loaded""}"
    }
}
