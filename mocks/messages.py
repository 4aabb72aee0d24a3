"""What the simulated host says, in English and Japanese.

English texts are those recorded (observations 4, domain 22) where a source gives them. Of the Japanese ones only
`switch_missing` is recorded (domain 9.1); the others are our own wording: they prove that nothing rests on texts.
Texts with a `1x` twin differ in module 1.x.
"""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "vm_missing": (
        'Hyper-V was unable to find a virtual machine with name "{0}".',
        'Hyper-V で、"{0}" という名前の仮想マシンが見つかりませんでした。',
    ),
    "vm_missing_1x": (
        "A parameter is invalid. Hyper-V was unable to find a virtual machine with name {0}.",
        "パラメーターが無効です。Hyper-V で、{0} という名前の仮想マシンが見つかりませんでした。",
    ),
    "vm_id_missing": (
        'Hyper-V was unable to find a virtual machine with id "{0}".',
        'Hyper-V で、ID "{0}" の仮想マシンが見つかりませんでした。',
    ),
    "switch_missing": (
        'Hyper-V was unable to find a virtual switch with name "{0}".',
        'Hyper-V で、"{0}" という名前の仮想スイッチが見つかりませんでした。',
    ),
    "adapter_missing": (
        "No network adapter was found with the given criteria.",
        "指定された条件のネットワーク アダプターは見つかりませんでした。",
    ),
    "snapshot_missing": (
        "Unable to find a snapshot matching the given criteria.",
        "指定された条件に一致するスナップショットが見つかりません。",
    ),
    "drive_missing": (
        "Unable to find a disk drive matching the given criteria.",
        "指定された条件に一致するディスク ドライブが見つかりません。",
    ),
    "controller_missing": (
        "Unable to find a storage controller matching the given criteria.",
        "指定された条件に一致する記憶域コントローラーが見つかりません。",
    ),
    "component_missing": (
        'Unable to find an integration service with name "{0}".',
        '"{0}" という名前の統合サービスが見つかりません。',
    ),
    "pool_missing": (
        'Hyper-V was unable to find a resource pool with name "{0}".',
        'Hyper-V で、"{0}" という名前のリソース プールが見つかりませんでした。',
    ),
    "object_gone": (
        "Hyper-V encountered an error trying to access an object on computer '{0}' because the object was not found. "
        "The object might have been deleted, or you might not have permission to perform the task. Verify that the "
        "Virtual Machine Management service on the computer is running. If the service is running, try to perform "
        "the task again by using Run as Administrator.",
        "コンピューター '{0}' 上のオブジェクトが見つからないため、Hyper-V はオブジェクトにアクセスできませんでした。"
        "オブジェクトが削除されたか、タスクを実行するアクセス許可がない可能性があります。",
    ),
    "no_permission": (
        "You do not have the required permission to complete this task. Contact the administrator of the "
        "authorization policy for the computer '{0}'.",
        "このタスクを完了するために必要なアクセス許可がありません。"
        "コンピューター '{0}' の承認ポリシーの管理者に問い合わせてください。",
    ),
    "replica_store": (
        "Unable to open specified location to store Replica files '{0}'. Error: {1}.",
        "レプリカ ファイルを保存する場所 '{0}' を開けません。エラー: {1}",
    ),
    "replica_store_missing": (
        "Replication from any server needs a default location to store Replica files.",
        "任意のサーバーからのレプリケーションには、レプリカ ファイルの既定の保存場所が必要です。",
    ),
    "replica_certificate": (
        "The certificate '{0}' cannot be used for replication.",
        "証明書 '{0}' はレプリケーションに使用できません。",
    ),
    "replica_certificate_method": (
        "Parameters of certificate-based authentication are valid with that authentication only.",
        "証明書ベースの認証のパラメーターは、その認証でのみ有効です。",
    ),
    "replica_any_server": (
        "Authorization entries cannot be added while replication is allowed from any server.",
        "任意のサーバーからのレプリケーションが許可されている間は、承認エントリを追加できません。",
    ),
    "replication_state": (
        "Could not change the replication state. Virtual machine is not in a valid replication state to perform the "
        "operation.",
        "レプリケーションの状態を変更できませんでした。仮想マシンは、この操作を実行できる有効なレプリケーション状態にありません。",
    ),
    "replication_none": (
        "'{1}' is not applicable on virtual machine '{0}'.",
        "'{1}' は仮想マシン '{0}' に適用できません。",
    ),
    "replication_no_way": (
        "Hyper-V failed to enable replication. The connection with the Replica server '{1}' could not be established.",
        "Hyper-V はレプリケーションを有効にできませんでした。レプリカ サーバー '{1}' との接続を確立できませんでした。",
    ),
    "replication_not_admitted": (
        "Hyper-V failed to enable replication. The Replica server '{1}' does not accept replication from this server.",
        "Hyper-V はレプリケーションを有効にできませんでした。レプリカ サーバー '{1}' はこのサーバーからのレプリケーションを"
        "受け入れません。",
    ),
    "replication_vm_there": (
        "Hyper-V failed to enable replication. A virtual machine with the same id as '{0}' exists on '{1}'.",
        "Hyper-V はレプリケーションを有効にできませんでした。'{0}' と同じ ID の仮想マシンが '{1}' に存在します。",
    ),
    "replication_disk": (
        "Hyper-V failed to enable replication for virtual machine '{0}'. IncludedDisks is not valid.",
        "仮想マシン '{0}' のレプリケーションを有効にできませんでした。IncludedDisks が無効です。",
    ),
    "replication_start": (
        "'{0}' failed to start. The operation is not allowed in the current replication state of the virtual machine.",
        "'{0}' を起動できませんでした。仮想マシンの現在のレプリケーション状態では、この操作は許可されていません。",
    ),
    "replication_primary_runs": (
        "Hyper-V failed to fail over '{0}'. The virtual machine is running on the primary server '{1}'.",
        "'{0}' をフェールオーバーできませんでした。仮想マシンはプライマリ サーバー '{1}' で実行中です。",
    ),
    "replication_no_reverse": (
        "Could not reverse replication for virtual machine '{0}'.",
        "仮想マシン '{0}' のレプリケーションを反転できませんでした。",
    ),
    "replication_extended": (
        "The operation on '{0}' is not allowed while replication is extended to another server.",
        "レプリケーションが別のサーバーに拡張されている間、'{0}' に対するこの操作は許可されません。",
    ),
    "replication_no_media": (
        "The initial replica of '{0}' was not found at '{1}'.",
        "'{0}' の初期レプリカが '{1}' に見つかりませんでした。",
    ),
    "replication_health": (
        "Replication for virtual machine '{0}' is in error. Fix the error(s) and resume replication.",
        "仮想マシン '{0}' のレプリケーションはエラー状態です。エラーを修正してからレプリケーションを再開してください。",
    ),
    "prompt": (
        "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.",
        "Windows PowerShell は非対話モードです。読み取りおよびプロンプト機能は使用できません。",
    ),
    "bad_state": (
        "The operation cannot be performed while the virtual machine is in its current state.",
        "仮想マシンが現在の状態にある間は、この操作を実行できません。",
    ),
    "not_metered": (
        "Resource metering is not enabled for the virtual machine '{0}'.",
        "仮想マシン '{0}' ではリソース計測が有効になっていません。",
    ),
    "vm_bad_state": (
        "Modifying the properties of '{0}' failed.\nThe operation cannot be performed while the object is in its "
        "current state.",
        "'{0}' のプロパティの変更に失敗しました。\nオブジェクトが現在の状態にある間は、この操作を実行できません。",
    ),
    "device": (
        "Failed to modify device '{0}'.\n{1}",
        "デバイス '{0}' を変更できませんでした。\n{1}",
    ),
    "device_add": (
        "Failed to add device '{0}'.\n{1}",
        "デバイス '{0}' を追加できませんでした。\n{1}",
    ),
    "memory_alignment": (
        "Invalid memory value assigned for '{0}'. Memory values must be properly aligned. ('{1}' MB)",
        "'{0}' に無効なメモリ値が割り当てられました。メモリ値は正しく整列している必要があります。('{1}' MB)",
    ),
    "memory_order": (
        "The memory settings of '{0}' are not valid: minimum <= startup <= maximum is required.",
        "'{0}' のメモリ設定が無効です。最小値 <= 起動時 <= 最大値である必要があります。",
    ),
    "out_of_range": (
        "A value of '{0}' is out of range: {1}.",
        "'{0}' の値が範囲外です: {1}。",
    ),
    "not_supported_property": ("Cannot modify property.", "プロパティを変更できません。"),
    "already": (
        "The virtual machine is already in the specified state.",
        "仮想マシンは既に指定された状態です。",
    ),
    "no_memory": (
        "'{0}' failed to start.\nNot enough memory in the system to start the virtual machine {0} with ram size {1} "
        "megabytes. (0x8007000E)",
        "'{0}' を起動できませんでした。\nRAM サイズ {1} MB の仮想マシン {0} を起動するには、"
        "システムのメモリが不足しています。 (0x8007000E)",
    ),
    "start_failed": ("'{0}' failed to start.\n{1}", "'{0}' を起動できませんでした。\n{1}"),
    "too_many_processors": (
        "The virtual machine has more virtual processors than the physical computer has logical processors.",
        "仮想マシンの仮想プロセッサ数が物理コンピューターの論理プロセッサ数を超えています。",
    ),
    "too_many_running": (
        "The physical computer runs as many virtual machines or virtual processors as it can.",
        "物理コンピューターは、実行できる上限の数の仮想マシンまたは仮想プロセッサを実行しています。",
    ),
    "no_reserve": (
        "The processor reserve of the virtual machine is more than what is left on the computer.",
        "仮想マシンのプロセッサの予約が、コンピューターの残りを超えています。",
    ),
    "file_missing": (
        "The system cannot find the file specified. (0x80070002).",
        "指定されたファイルが見つかりません。 (0x80070002)。",
    ),
    "path_missing": (
        "The system cannot find the path specified. (0x80070003).",
        "指定されたパスが見つかりません。 (0x80070003)。",
    ),
    "sharing": (
        "The process cannot access the file because it is being used by another process. (0x80070020).",
        "別のプロセスで使用されているため、プロセスはファイルにアクセスできません。 (0x80070020)。",
    ),
    "corrupted": (
        "The file or directory is corrupted and unreadable.",
        "ファイルまたはディレクトリが壊れているため、読み取ることができません。",
    ),
    "disk_full": (
        "There is not enough space on the disk. (0x80070070).",
        "ディスクに十分な空き領域がありません。 (0x80070070)。",
    ),
    "stop_failed": ("Failed to stop.", "停止できませんでした。"),
    "guest_locked": (
        "An interactive shutdown cannot proceed while the virtual machine is locked.",
        "仮想マシンがロックされている間は、対話型のシャットダウンを続行できません。",
    ),
    "remove_running": (
        "The virtual machine cannot be removed while it is running.",
        "仮想マシンの実行中は削除できません。",
    ),
    "new_vm_store": (
        "Failed to create a new virtual machine.\nFailed to access configuration store: {0}",
        "新しい仮想マシンを作成できませんでした。\n構成ストアにアクセスできませんでした: {0}",
    ),
    "version_unsupported": (
        "The virtual machine version '{0}' is not supported by the computer '{1}'.",
        "仮想マシンのバージョン '{0}' は、コンピューター '{1}' でサポートされていません。",
    ),
    "gen1_firmware": (
        'The Generation 1 virtual machine or snapshot "{0}" does not support the VMFirmware cmdlets. '
        "Use Get-VMBios and Set-VMBios instead.",
        '第 1 世代の仮想マシンまたはスナップショット "{0}" は VMFirmware コマンドレットをサポートしていません。'
        "代わりに Get-VMBios と Set-VMBios を使用してください。",
    ),
    "gen1_firmware_1x": (
        "A parameter is invalid. Generation 1 virtual machines do not support the VMFirmware cmdlets.  "
        "Use Get-VMBios and Set-VMBios instead.",
        "パラメーターが無効です。第 1 世代の仮想マシンは VMFirmware コマンドレットをサポートしていません。"
        "代わりに Get-VMBios と Set-VMBios を使用してください。",
    ),
    "gen2_bios": (
        'The Generation 2 virtual machine or snapshot "{0}" does not support the VMBios cmdlets. '
        "Use Get-VMFirmware and Set-VMFirmware instead.",
        '第 2 世代の仮想マシンまたはスナップショット "{0}" は VMBios コマンドレットをサポートしていません。'
        "代わりに Get-VMFirmware と Set-VMFirmware を使用してください。",
    ),
    "gen2_bios_1x": (
        "A parameter is invalid. Generation 2 virtual machines do not support the VMBios cmdlets.  "
        "Use Get-VMFirmware and Set-VMFirmware instead.",
        "パラメーターが無効です。第 2 世代の仮想マシンは VMBios コマンドレットをサポートしていません。"
        "代わりに Get-VMFirmware と Set-VMFirmware を使用してください。",
    ),
    "gen2_ide": (
        "Generation 2 virtual machines do not support IDE.",
        "第 2 世代の仮想マシンは IDE をサポートしていません。",
    ),
    "gen2_floppy": (
        "Generation 2 virtual machines do not support floppy drives.",
        "第 2 世代の仮想マシンはフロッピー ドライブをサポートしていません。",
    ),
    "gen2_legacy": (
        "Generation 2 virtual machines do not support legacy network adapters.",
        "第 2 世代の仮想マシンはレガシ ネットワーク アダプターをサポートしていません。",
    ),
    "gen2_vhd": (
        "Generation 2 virtual machines do not support the VHD format: '{0}'.",
        "第 2 世代の仮想マシンは VHD 形式をサポートしていません: '{0}'。",
    ),
    "no_key_protector": (
        "The operation failed.\n\nThe selected security settings of a virtual machine cannot be changed without a valid key "
        "protector configured. Configure a valid key protector and try again.",
        "操作に失敗しました。\n\n有効なキー プロテクターが構成されていない仮想マシンのセキュリティ設定は変更できません。"
        "有効なキー プロテクターを構成してからやり直してください。",
    ),
    "no_security": (
        "The virtual machine '{0}' does not support the selected security settings.",
        "仮想マシン '{0}' は選択したセキュリティ設定をサポートしていません。",
    ),
    "shielded": (
        "The security settings of the shielded virtual machine '{0}' cannot be changed.",
        "シールドされた仮想マシン '{0}' のセキュリティ設定は変更できません。",
    ),
    "template_locked": (
        "Cannot modify the secure boot template ID property after the virtual TPM is initialized.",
        "仮想 TPM の初期化後にセキュア ブート テンプレート ID プロパティを変更することはできません。",
    ),
    "boot_order_bad": ("The boot order is not valid.", "ブート順序が無効です。"),
    "slot_unavailable": (
        "The specified location of the controller is not available.",
        "コントローラーの指定された場所は使用できません。",
    ),
    "slot_in_use": (
        "The storage media cannot be attached to the controller, since the location is already in use.",
        "この場所は既に使用されているため、記憶域メディアをコントローラーに接続できません。",
    ),
    "already_connected": (
        "Cannot add '{0}'. The disk is already connected to the virtual machine '{1}'.",
        "'{0}' を追加できません。ディスクは既に仮想マシン '{1}' に接続されています。",
    ),
    "bad_drive_path": (
        "The specified path for the drive is not valid.",
        "ドライブに指定されたパスが無効です。",
    ),
    "iops_order": (
        "The maximum IOPS must not be lower than the minimum IOPS.",
        "最大 IOPS は最小 IOPS 以上である必要があります。",
    ),
    "too_many": ("The maximum number of '{0}' is reached.", "'{0}' の最大数に達しました。"),
    "no_sharing": (
        "The storage where the virtual hard disk is located does not support virtual hard disk sharing.",
        "仮想ハード ディスクが配置されている記憶域は、仮想ハード ディスクの共有をサポートしていません。",
    ),
    "vhd_exists": (
        "Failed to create the virtual hard disk.\nThe system failed to create '{0}': The file exists. (0x80070050).",
        "仮想ハード ディスクを作成できませんでした。\n'{0}' を作成できませんでした: "
        "ファイルが存在します。 (0x80070050)。",
    ),
    "vhd_create": (
        "Failed to create the virtual hard disk.\nThe system failed to create '{0}': {1}",
        "仮想ハード ディスクを作成できませんでした。\n'{0}' を作成できませんでした: {1}",
    ),
    "vhd_not_a_disk": (
        "'{0}' is not an existing virtual hard disk file.",
        "'{0}' は既存の仮想ハード ディスク ファイルではありません。",
    ),
    "vhd_get": (
        "Getting the mounted storage instance for the path '{0}' failed.\n{1}",
        "パス '{0}' のマウントされた記憶域インスタンスを取得できませんでした。\n{1}",
    ),
    "in_use": (
        "The operation cannot be performed while the object is in use.",
        "オブジェクトが使用中のため、この操作は実行できません。",
    ),
    "bad_parameter": ("The parameter is incorrect.", "パラメーターが間違っています。"),
    "resize": ("Failed to resize the virtual disk.\n{0}", "仮想ディスクのサイズを変更できませんでした。\n{0}"),
    "resize_unsupported": (
        "The operation is not supported.",
        "この操作はサポートされていません。",
    ),
    "resize_truncate": (
        "The system failed to resize '{0}': The requested operation could not be completed because it might truncate "
        "user data residing on the virtual disk. (0xC03A0025).",
        "'{0}' のサイズを変更できませんでした: 仮想ディスク上のユーザー データが切り捨てられる可能性があるため、"
        "要求された操作を完了できませんでした。 (0xC03A0025)。",
    ),
    "resize_vhd_shrink": (
        "The resize operation to new size that is smaller than or equal to the current size is supported only on "
        "virtual hard disks that are of VHDX format.",
        "現在のサイズ以下の新しいサイズへの変更は、VHDX 形式の仮想ハード ディスクでのみサポートされます。",
    ),
    "vhd_type": (
        "The type of the virtual hard disk does not allow the operation. (0xC03A001B).",
        "仮想ハード ディスクの種類では、この操作を実行できません。 (0xC03A001B)。",
    ),
    "checkpoints_disabled": (
        "Checkpoint operation failed.\nCheckpoints have been disabled for '{0}'.",
        "チェックポイント操作に失敗しました。\n'{0}' のチェックポイントは無効になっています。",
    ),
    "production_only": (
        "Checkpoint operation failed.\nProduction checkpoints cannot be created for '{0}'.",
        "チェックポイント操作に失敗しました。\n'{0}' の運用チェックポイントを作成できません。",
    ),
    "checkpoint_failed": (
        "Checkpoint operation failed.\n{0}",
        "チェックポイント操作に失敗しました。\n{0}",
    ),
    "export_exists": (
        "Failed to export the virtual machine '{0}'.\nFailed to copy file during export to '{1}': The file exists. "
        "(0x80070050).",
        "仮想マシン '{0}' をエクスポートできませんでした。\nエクスポート中に '{1}' へファイルをコピーできませんでした: "
        "ファイルが存在します。 (0x80070050)。",
    ),
    "export_failed": (
        "Failed to export the virtual machine '{0}'.\n{1}",
        "仮想マシン '{0}' をエクスポートできませんでした。\n{1}",
    ),
    "has_checkpoints": (
        "The operation cannot be performed while the virtual machine has checkpoints.",
        "仮想マシンにチェックポイントがある間は、この操作を実行できません。",
    ),
    "folder_missing": (
        "The path '{0}' does not exist. (0x80070003).",
        "パス '{0}' は存在しません。 (0x80070003)。",
    ),
    "mac_range": (
        "The MAC address range is not valid: the maximum is below the minimum.",
        "MAC アドレスの範囲が無効です。最大値が最小値より小さくなっています。",
    ),
    "not_in_domain": (
        "Live migration cannot be enabled: the computer '{0}' is not joined to a domain.",
        "ライブ マイグレーションを有効にできません。コンピューター '{0}' はドメインに参加していません。",
    ),
    "move_frame_source": (
        "Virtual machine migration operation for '{0}' failed at migration source '{1}'. (Virtual machine ID {2})",
        "'{0}' の仮想マシンの移行操作は、移行元 '{1}' で失敗しました。(仮想マシン ID {2})",
    ),
    "move_frame_destination": (
        "Virtual machine migration operation for '{0}' failed at migration destination '{1}'. (Virtual machine ID {2})",
        "'{0}' の仮想マシンの移行操作は、移行先 '{1}' で失敗しました。(仮想マシン ID {2})",
    ),
    "move_no_connection": (
        "The Virtual Machine Management Service failed to establish a connection for a Virtual Machine migration with host "
        "'{0}': {1}",
        "仮想マシン管理サービスは、仮想マシン移行のためのホスト '{0}' への接続を確立できませんでした: {1}",
    ),
    "move_no_credentials": (
        "No credentials are available in the security package (0x8009030E).\n"
        "Failed to authenticate the connection at the source host: no suitable credentials available.",
        "セキュリティ パッケージには使用できる資格情報がありません (0x8009030E)。\n"
        "移行元ホストで接続を認証できませんでした: 適切な資格情報がありません。",
    ),
    "move_refused": (
        "No connection could be made because the target machine actively refused it (0x8007274D).",
        "対象のコンピューターによって拒否されたため、接続できませんでした (0x8007274D)。",
    ),
    "move_timed_out": (
        "A connection attempt failed because the connected party did not properly respond after a period of time "
        "(0x8007274C).",
        "接続済みの呼び出し先が一定の時間を過ぎても正しく応答しなかったため、接続できませんでした (0x8007274C)。",
    ),
    "move_cut_off": (
        "An existing connection was forcibly closed by the remote host (0x80072746).",
        "既存の接続はリモート ホストに強制的に切断されました (0x80072746)。",
    ),
    "move_not_configured": (
        "The source host is not configured for live migration. Use the Enable-VMMigration cmdlet to configure it.",
        "移行元ホストはライブ マイグレーション用に構成されていません。",
    ),
    "move_limit": (
        'The virtual machine migration was not started because virtual machine migration limit "{0}" was reached, please '
        "wait for completion of an ongoing migration operation.",
        '仮想マシンの移行の上限 "{0}" に達したため、移行を開始できません。',
    ),
    "move_to_itself": (
        "The virtual machine '{0}' is already on '{1}'.",
        "仮想マシン '{0}' は既に '{1}' にあります。",
    ),
    "move_clustered": (
        "The virtual machine '{0}' is clustered. Use the cluster's own tools to move it.",
        "仮想マシン '{0}' はクラスター化されています。クラスターのツールで移動してください。",
    ),
    "move_hardware": (
        "The hardware on the destination computer isn't compatible with the hardware requirements of this virtual machine.",
        "移行先コンピューターのハードウェアは、この仮想マシンのハードウェア要件と互換性がありません。",
    ),
    "move_incompatible": (
        "The virtual machine '{0}' is not compatible with physical computer '{1}'.",
        "仮想マシン '{0}' は物理コンピューター '{1}' と互換性がありません。",
    ),
    "move_processor": (
        "The virtual machine '{0}' is using processor-specific features not supported on physical computer '{1}'. To allow "
        "for migration of this virtual machine to physical computers with different processors, modify the virtual machine "
        "settings to limit the processor features used by the virtual machine.",
        "仮想マシン '{0}' は、物理コンピューター '{1}' でサポートされていないプロセッサ固有の機能を使用しています。",
    ),
    "move_switch": (
        "The virtual machine '{0}' is not compatible with physical computer '{1}'. Could not find Ethernet switch '{2}'.",
        "仮想マシン '{0}' は物理コンピューター '{1}' と互換性がありません。イーサネット スイッチ '{2}' が見つかりません。",
    ),
    "move_file": (
        "The virtual machine '{0}' cannot use '{2}' on physical computer '{1}': the file could not be opened (0xC03A0014).",
        "物理コンピューター '{1}' で仮想マシン '{0}' は '{2}' を使用できません: ファイルを開けません (0xC03A0014)。",
    ),
    "move_shared_disk": (
        "The storage of the virtual machine '{0}' cannot be moved: '{2}' is shared.",
        "仮想マシン '{0}' の記憶域は移動できません: '{2}' は共有されています。",
    ),
    "move_pass_through": (
        "The virtual machine '{0}' is using a physical disk of '{2}', which cannot be moved to '{1}'.",
        "仮想マシン '{0}' は '{2}' の物理ディスクを使用しており、'{1}' に移動できません。",
    ),
    "move_memory": (
        "Not enough memory on '{1}' to receive the virtual machine '{0}' (0x8007000E).",
        "'{1}' には仮想マシン '{0}' を受け入れる十分なメモリがありません (0x8007000E)。",
    ),
    "move_processors": (
        "The virtual machine '{0}' has more processors than '{1}'.",
        "仮想マシン '{0}' のプロセッサ数は '{1}' を超えています。",
    ),
    "move_present": (
        "The virtual machine '{0}' cannot be moved: '{1}' has a virtual machine with the same ID.",
        "仮想マシン '{0}' は移動できません: '{1}' には同じ ID の仮想マシンがあります。",
    ),
    "move_device": (
        "The virtual machine '{0}' uses a device that is assigned to it and cannot be moved.",
        "仮想マシン '{0}' は割り当てられたデバイスを使用しているため、移動できません。",
    ),
    "move_gpu": (
        "The virtual machine '{0}' uses a partition of a GPU and cannot be moved.",
        "仮想マシン '{0}' は GPU パーティションを使用しているため、移動できません。",
    ),
    "move_logon": (
        "Failed to create Planned Virtual Machine at migration destination: Logon failure: the user has not been granted the "
        "requested logon type at this computer. (0x80070569)",
        "移行先で計画された仮想マシンを作成できませんでした: "
        "要求された種類のログオンは、このコンピューターではユーザーに許可されていません。 (0x80070569)",
    ),
    "move_nested": (
        "The virtual machine '{0}' runs a hypervisor and cannot be moved while it does.",
        "仮想マシン '{0}' はハイパーバイザーを実行しており、移動できません。",
    ),
    "move_tpm": (
        "The version of the device 'Microsoft Virtual TPM Device' of the virtual machine '{0}' is not compatible with device "
        "on physical computer '{1}'.\nThe key protector for the virtual machine '{0}' could not be unwrapped. "
        "HostGuardianService returned: One or more arguments are invalid (0x80070057).",
        "仮想マシン '{0}' のデバイス 'Microsoft Virtual TPM Device' のバージョンは、物理コンピューター '{1}' "
        "のデバイスと互換性がありません。\n仮想マシン '{0}' のキー保護機能をラップ解除できませんでした (0x80070057)。",
    ),
    "nothing_to_set": (
        "You must specify at least one parameter to modify.",
        "変更するパラメーターを少なくとも 1 つ指定する必要があります。",
    ),
    "switch_add_failed": (
        "Failed while adding virtual Ethernet switch connections.\n{0}",
        "仮想イーサネット スイッチ接続の追加中にエラーが発生しました。\n{0}",
    ),
    "adapter_bound": (
        "External Ethernet adapter '{0}' is already bound to the Microsoft Virtual Switch protocol.",
        "外部イーサネット アダプター '{0}' は既に Microsoft 仮想スイッチ プロトコルにバインドされています。",
    ),
    "adapter_bind_failed": (
        "Ethernet port '{0}' bind failed: Element not found. (0x80070490).",
        "イーサネット ポート '{0}' のバインドに失敗しました: 要素が見つかりません。 (0x80070490)。",
    ),
    "net_adapter_missing": (
        "Hyper-V was unable to find a physical network adapter matching '{0}'.",
        "Hyper-V で、'{0}' に一致する物理ネットワーク アダプターが見つかりませんでした。",
    ),
    "switch_modify_failed": (
        "Failed while modifying virtual Ethernet switch connection settings.",
        "仮想イーサネット スイッチ接続設定の変更中にエラーが発生しました。",
    ),
    "ethernet_feature": (
        "Modifying features of the Ethernet connection failed.\n{0}",
        "イーサネット接続の機能の変更に失敗しました。\n{0}",
    ),
    "object_bad_state": (
        "The operation cannot be performed while the object is in its current state.",
        "オブジェクトが現在の状態にある間は、この操作を実行できません。",
    ),
    "bandwidth_mode": (
        "The minimum bandwidth setting does not fit the bandwidth reservation mode of the virtual switch.",
        "最小帯域幅の設定が仮想スイッチの帯域幅予約モードと一致しません。",
    ),
    "acl_invalid": ("The port ACL '{0}' is not valid.", "ポート ACL '{0}' は無効です。"),
    "vlan_invalid": ("The VLAN settings are not valid.", "VLAN 設定が無効です。"),
    "mac_invalid": (
        "The MAC address '{0}' is not valid.",
        "MAC アドレス '{0}' が無効です。",
    ),
    "not_recognized": (
        "The term '{0}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check "
        "the spelling of the name, or if a path was included, verify that the path is correct and try again.",
        "用語 '{0}' は、コマンドレット、関数、スクリプト ファイル、または操作可能なプログラムの名前として"
        "認識されません。名前が正しく記述されていることを確認してください。",
    ),
    "item_missing": (
        "Cannot find path '{0}' because it does not exist.",
        "パス '{0}' が存在しないため検出できません。",
    ),
    "item_filtered": (
        "An object at the specified path {0} does not exist, or has been filtered by the -Include or -Exclude parameter.",
        "指定されたパス {0} のオブジェクトは存在しないか、-Include または -Exclude パラメーターで除外されています。",
    ),
    "item_denied": ("Access to the path '{0}' is denied.", "パス '{0}' へのアクセスが拒否されました。"),
    "copy_failed": (
        "Failed to initiate copying files to the guest.\n'{0}' failed to initiate copying files to the guest: {1}",
        "ゲストへのファイルのコピーを開始できませんでした。\n"
        "'{0}' はゲストへのファイルのコピーを開始できませんでした: {1}",
    ),
    "copy_exists": ("The file exists. (0x80070050).", "ファイルが存在します。 (0x80070050)。"),
    "copy_no_folder": (
        "The system cannot find the path specified. (0x80070003).",
        "指定されたパスが見つかりません。 (0x80070003)。",
    ),
    "copy_no_source": (
        "The system cannot find the file specified. (0x80070002). {0}",
        "指定されたファイルが見つかりません。 (0x80070002)。 {0}",
    ),
    "copy_not_running": (
        "The operation cannot be performed while the virtual machine is in its current state.",
        "仮想マシンが現在の状態にある間は、この操作を実行できません。",
    ),
    "copy_interface_off": (
        "The Guest Service Interface is not enabled.",
        "ゲスト サービス インターフェイスが無効です。",
    ),
    "copy_no_contact": ("The guest does not answer.", "ゲストが応答しません。"),
    "item_exists": ("The file '{0}' already exists.", "ファイル '{0}' は既に存在します。"),
    "item_folder_exists": (
        "An item with the specified name {0} already exists.",
        "指定された名前 {0} の項目は既に存在します。",
    ),
    "item_no_parent": (
        "Could not find a part of the path '{0}'.",
        "パス '{0}' の一部が見つかりませんでした。",
    ),
    "item_in_use": (
        "Cannot remove item {0}: The process cannot access the file because it is being used by another process.",
        "項目 {0} を削除できません: 別のプロセスで使用されているため、プロセスはファイルにアクセスできません。",
    ),
    "file_in_use": (
        "The process cannot access the file '{0}' because it is being used by another process.",
        "別のプロセスで使用されているため、プロセスはファイル '{0}' にアクセスできません。",
    ),
    "item_itself": ("Cannot overwrite the item {0} with itself.", "項目 {0} をそれ自体で上書きすることはできません。"),
    "item_no_rename": (
        "Cannot rename because item at '{0}' does not exist.",
        "'{0}' の項目が存在しないため、名前を変更できません。",
    ),
    "item_name_has_path": (
        "Cannot rename the specified target, because it represents a path or device name.",
        "指定されたターゲットはパスまたはデバイス名を表しているため、名前を変更できません。",
    ),
    "item_taken": (
        "Cannot create a file when that file already exists.",
        "既に存在するファイルを作成することはできません。",
    ),
    "item_no_rights": (
        "Cannot remove item {0}: You do not have sufficient access rights to perform this operation.",
        "項目 {0} を削除できません: この操作を実行するための十分なアクセス権がありません。",
    ),
    "file_denied": ("Access is denied. (0x80070005)", "アクセスが拒否されました。(0x80070005)"),
    "item_not_empty": (
        "The item at {0} has children and the Recurse parameter was not specified.",
        "{0} の項目には子があり、Recurse パラメーターが指定されていません。",
    ),
    "cim_namespace_missing": ("Invalid namespace ", "無効な名前空間です "),
    "cim_class_missing": ("Invalid class", "無効なクラスです"),
    "cim_query_invalid": ("Invalid query ", "無効なクエリです "),
    "no_events": (
        "No events were found that match the specified selection criteria.",
        "指定した選択条件に一致するイベントが見つかりませんでした。",
    ),
    "events_denied": (
        "Attempted to perform an unauthorized operation.",
        "許可されていない操作を実行しようとしました。",
    ),
    "access_denied": ("Access is denied. ", "アクセスが拒否されました。 "),
    "no_such_resource": (
        "The WS-Management service cannot process the request. The resource URI does not exist.",
        "WS-Management サービスは要求を処理できません。リソース URI は存在しません。",
    ),
    "service_missing": (
        "Cannot find any service with service name '{0}'.",
        "サービス名 '{0}' のサービスが見つかりません。",
    ),
    "cim_missing": (
        "No {0} objects found with property '{1}' equal to '{2}'. Verify the value of the property and retry.",
        "プロパティ '{1}' が '{2}' である {0} オブジェクトが見つかりません。",
    ),
    "cim_none": (
        "No matching {0} objects found by CIM query for instances of the class. Verify query parameters and retry.",
        "CIM クエリに一致する {0} オブジェクトが見つかりません。クエリ パラメーターを確認して再試行してください。",
    ),
    "element_missing": ("Element not found. ", "要素が見つかりません。 "),
    "instance_exists": ("Instance {0} already exists ", "インスタンス {0} は既に存在します "),
    "stores_differ": (
        "Inconsistent parameters PolicyStore PersistentStore and Dhcp Enabled ",
        "パラメーター PolicyStore PersistentStore と Dhcp Enabled が矛盾しています ",
    ),
    "object_exists": ("The object already exists. ", "オブジェクトは既に存在します。 "),
    "parameter_wrong": ("The parameter is incorrect. ", "パラメーターが間違っています。 "),
    "duplicate_name": (
        "You were not connected because a duplicate name exists on the network. If joining a domain, go to System in "
        "Control Panel to change the computer name and try again. If joining a workgroup, choose another workgroup name. ",
        "ネットワーク上に同じ名前があるため、接続されませんでした。 ",
    ),
    "port_in_use": (
        "The process cannot access the file because it is being used by another process. ",
        "プロセスはファイルにアクセスできません。別のプロセスが使用中です。 ",
    ),
    # --- texts within objects -----------------------------------------------------------------------------------
    "ok": ("Operating normally", "正常に動作しています"),
    "merging": ("Merging disks", "ディスクを結合しています"),
    "exporting": ("Exporting virtual machine", "仮想マシンをエクスポートしています"),
    "working": ("Working", "処理中"),
    "no_contact": ("No contact", "接続なし"),
    "lost_communication": ("Lost Communication", "通信が失われました"),
    "component_ok": ("OK", "OK"),
    "network_adapter": ("Network Adapter", "ネットワーク アダプター"),
    "legacy_network_adapter": ("Legacy Network Adapter", "レガシ ネットワーク アダプター"),
    "hard_drive": (
        "Hard Drive on {0} controller number {1} at location {2}",
        "{0} コントローラー番号 {1} の場所 {2} のハード ドライブ",
    ),
    "dvd_drive": (
        "DVD Drive on {0} controller number {1} at location {2}",
        "{0} コントローラー番号 {1} の場所 {2} の DVD ドライブ",
    ),
    "diskette_drive": ("Diskette Drive", "ディスケット ドライブ"),
    "scsi_controller": ("SCSI Controller", "SCSI コントローラー"),
    "ide_controller": ("IDE Controller {0}", "IDE コントローラー {0}"),
    "memory": ("Memory", "メモリ"),
    "processor": ("Processor", "プロセッサ"),
    "efi_network": ("EFI Network", "EFI ネットワーク"),
    "efi_scsi": ("EFI SCSI Device", "EFI SCSI デバイス"),
    "new_vm": ("New Virtual Machine", "新しい仮想マシン"),
    "guest_service_interface": ("Guest Service Interface", "ゲスト サービス インターフェイス"),
    "heartbeat": ("Heartbeat", "ハートビート"),
    "key_value_pair_exchange": ("Key-Value Pair Exchange", "キー値ペア交換"),
    "shutdown": ("Shutdown", "シャットダウン"),
    "time_synchronization": ("Time Synchronization", "時刻の同期"),
    "vss": ("VSS", "ボリューム シャドウ コピー"),
    "checkpoint_name": ("{0} - ({1})", "{0} - ({1})"),
    "healthy": ("Healthy", "正常"),
}


def say(language: str, key: str, *values: object) -> str:
    return TEXTS[key][1 if language == "ja" else 0].format(*values)
