$global:ProgressPreference = $global:WarningPreference = $global:VerbosePreference = $global:DebugPreference = 'SilentlyContinue'
$global:ConfirmPreference = 'None'
$mode = "$($ExecutionContext.SessionState.LanguageMode)"
if ($mode -eq 'FullLanguage') {
    try { [Console]::OutputEncoding = New-Object Text.UTF8Encoding $false } catch { }
}
$input | ForEach-Object {
    $line = $_
    if ($line.StartsWith('{"src"')) {
        try {
            $s = ConvertFrom-Json $line
            Invoke-Expression $s.src
            $hv.allow = $s.allow; $hv.commands = @{}; $hv.id = '-'; $hv.n = 0; $hv.hold = $s.hold
            $os = Get-ItemProperty -Path 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' -ErrorAction SilentlyContinue
            hvFrame 'hello' (",""ps"":""$($PSVersionTable.PSVersion)"",""lang"":""$mode"",""computer"":$(hvText "$env:COMPUTERNAME")" +
                ",""user"":$(hvText "$env:USERDOMAIN\$env:USERNAME"),""culture"":""$PSUICulture"",""caption"":$(hvText "$($os.ProductName)")" +
                ",""build"":$([int]$os.CurrentBuildNumber),""pid"":$PID,""sha"":""$($s.sha)""")
            $hv.hold = $false
        } catch {
            "`n@hv1 - {""n"":0,""t"":""fatal"",""code"":""source"",""why"":""the runner was not loaded: $($_.FullyQualifiedErrorId -replace '[^A-Za-z0-9_,.-]', '?')""}"
        }
    } elseif ($global:hv) {
        hvLine $line
    } else {
        "`n@hv1 - {""n"":0,""t"":""fatal"",""code"":""source"",""why"":""the runner is not loaded""}"
    }
}
